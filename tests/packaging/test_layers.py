"""The house rules, read from the source: layers import downwards, extras only when used, modules stay short."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAYERS = (
    "errors",
    "streams",
    "toml_reading",
    "equations",
    "execution",
    "media",
    "analysis",
    "substrate",
    "energy",
    "realisation",
    "datasets",
    "learning",
    "experiments",
    "report",
    "studies",
    "benchmarks",
    "testing",
    "cli",
    "__main__",
)
CORE_DEPENDENCIES = {"numpy", "scipy", "sympy", "safetensors", "array_api_compat", "pydantic", "pint", "rich"}
EXTRAS = ("torch", "brian2", "nengo", "numba", "nir", "skrf", "matplotlib", "jinja2", "sklearn", "pooch", "dask")
MAX_LINES = 400

CORE = sorted((ROOT / "physnn").rglob("*.py"))
BACKENDS = sorted((ROOT / "backends").rglob("*.py"))
PACKS = sorted((ROOT / "hardware_profiles").rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def nodes_run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes that importing the module executes: outside functions and outside `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from nodes_run_on_import(child)


def imported(path: Path, *, on_import: bool = False) -> list[tuple[int, str]]:
    """(line, dotted name) of everything that a module imports; `from a import b` counts as a.b."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = []
    for node in nodes_run_on_import(tree) if on_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(path, node)
            names += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return names


def absolute(path: Path, node: ast.ImportFrom) -> str:
    """The dotted module of a `from` import, relative ones resolved."""
    if node.level == 0:
        return node.module or ""
    package = path.relative_to(ROOT).parent.parts
    return ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])


def layer_of(path: Path) -> str:
    """The layer of a core module: the first name below physnn."""
    return path.relative_to(ROOT / "physnn").with_suffix("").parts[0]


def physnn_layers(path: Path) -> list[tuple[int, str]]:
    """(line, layer) of each import of the core; `__version__` alone may come from the top."""
    found = []
    for line, name in imported(path):
        top, _, rest = name.partition(".")
        if top == "physnn" and rest != "__version__":
            found.append((line, rest.partition(".")[0] or "physnn itself"))
    return found


def faults_in_layering(path: Path, own: str) -> list[str]:
    return [
        f"{named(path)}:{line}: {own} imports {layer}"
        for line, layer in physnn_layers(path)
        if layer not in LAYERS or LAYERS.index(layer) > LAYERS.index(own)
    ]


def test_every_core_module_has_a_layer():
    below_top = [path for path in CORE if path != ROOT / "physnn" / "__init__.py"]
    assert below_top
    assert sorted({layer_of(path) for path in below_top} - set(LAYERS)) == []


def test_core_imports_downwards_only():
    faults = []
    for path in CORE:
        if path != ROOT / "physnn" / "__init__.py":
            faults += faults_in_layering(path, layer_of(path))
    assert faults == []


def test_backends_and_profile_packs_import_no_rule_nor_anything_above():
    faults = []
    for path in BACKENDS + PACKS:
        faults += faults_in_layering(path, "datasets")
    assert faults == []


def test_core_never_names_a_backend_or_a_profile_pack():
    faults = [
        f"{named(path)}:{line}: {name}"
        for path in CORE
        for line, name in imported(path)
        if name.startswith(("physnn_", "backends", "hardware_profiles"))
    ]
    assert faults == []


def test_core_modules_import_core_dependencies_alone():
    allowed = CORE_DEPENDENCIES | set(sys.stdlib_module_names) | {"physnn"}
    faults = [
        f"{named(path)}:{line}: {name}"
        for path in CORE
        for line, name in imported(path, on_import=True)
        if name.partition(".")[0] not in allowed
    ]
    assert faults == []


def test_importing_the_command_loads_no_extra():
    code = f"import sys, physnn, physnn.cli; print([name for name in {EXTRAS!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout.strip()) == (0, "[]"), ran.stderr


def test_modules_read_in_one_sitting():
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in CORE + BACKENDS + PACKS}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_modules_are_in_regular_packages():
    """A folder without __init__.py is a namespace package, whose modules could be imported twice under two names."""
    folders = {path.parent for path in CORE + BACKENDS + PACKS}
    assert [named(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_the_reader_sees_what_it_should(tmp_path, monkeypatch):
    """The rules above pass on a tree without faults; here is one with a fault of each kind."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    module = tmp_path / "physnn" / "media" / "bad.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "import torch\n"
        "from ..learning import trainer\n"
        "from physnn import equations, errors, energy\n"
        "def later():\n"
        "    import jinja2\n"
        "    from physnn.cli import main\n"
        "class Now:\n"
        "    import nengo\n"
    )
    assert [fault.partition(": ")[2] for fault in faults_in_layering(module, "media")] == [
        "media imports learning",
        "media imports energy",
        "media imports cli",
    ]
    assert {name for _, name in imported(module, on_import=True)} >= {"torch", "nengo"}
    assert "jinja2" not in {name for _, name in imported(module, on_import=True)}
