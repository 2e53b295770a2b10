"""Malformed checkpoints, profiles and experiment files: each is read, or refused by one typed line.

    python tests/fuzz_files.py [--examples N] [--seed S] [--workers N]

Hypothesis draws a recipe for each example: a sound original and what is done to its bytes, its values, or to the file
itself. The readers run in child processes. An example fails if it raises anything but a `PhysnnError` of one line,
takes more than 10 s, or lets the process grow beyond 1 GiB; its recipe is printed and its file kept. Exit code 1 on any
failure.
"""

from __future__ import annotations

import argparse
import copy
import faulthandler
import io
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (after the variables, which it reads when it is imported)
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from physnn.errors import CheckpointError, PhysnnError  # noqa: E402
from physnn.experiments import Store, built_in, read_experiment  # noqa: E402
from physnn.experiments.cell import empty_record  # noqa: E402
from physnn.experiments.schema import BUILT_IN, Cell  # noqa: E402
from physnn.learning import FeedbackAlignment, Objective, ReflectedWave, Settings, train  # noqa: E402
from physnn.learning.progress import Progress  # noqa: E402
from physnn.learning.trainer import identity_of  # noqa: E402
from physnn.media import Network, Source, SquaredError, Waveguide  # noqa: E402
from physnn.substrate import build  # noqa: E402
from physnn.substrate.profiles import check_profile_file, describe, find_profile, load_profile, profile_names  # noqa: E402

LONGEST_LINE = 600
SLOWEST_S = 10.0
LARGEST_BYTES = 2**30
SHARD = 500
"""examples a child process"""
KEPT_BYTES = 2**24
LARGEST_CHECKPOINT = 2**28
"""the largest that is read"""
DEEP = 10_000

PATHS = (
    "../../etc/passwd", "/etc/passwd", "/dev/zero", "/dev/full", "/dev/zero.toml", "C:\\x.toml", "a\0b.toml",
    "a/\0.npz", "\x1b[31m/",
    "@/fifo.toml", "@/zero.toml", "@/loop.toml", "@/folder.toml", "@/fifo.npz", "@/zero.npz", "@/folder.npz",
    "@/mine.npz", "/proc/self/mem",
    "~/x.toml", "./" * 3000 + "x.toml", "x" * 300 + ".toml", "x" * 300 + ".npz", "..", "/", "", " ", "\n",
    "x" * 5000, "é\u202e\ud7ff.toml",
)  # fmt: skip
"""`@` stands for a folder in which the special files are."""

Bytes = bytearray
WHERE = st.integers(0, 2**32 - 1)


# --- judging -----------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What became of the examples of one kind."""

    kind: str
    examples: int = 0
    refused: int = 0
    accepted: int = 0
    slowest_s: float = 0.0
    peak_bytes: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.examples, self.refused = self.examples + other.examples, self.refused + other.refused
        self.accepted += other.accepted
        self.slowest_s, self.peak_bytes = max(self.slowest_s, other.slowest_s), max(self.peak_bytes, other.peak_bytes)
        self.failures += other.failures


class Hang(BaseException):
    """Raised by the alarm; no reader's `except Exception` holds it."""


def judge(read: Callable[[], None], tally: Tally, limit_s: float = SLOWEST_S) -> str | None:
    """Run a reader; what is wrong with how it ended, None where nothing is."""
    forget_peak()  # making the file may have needed more than reading it
    signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    faulthandler.dump_traceback_later(
        3 * limit_s, exit=True
    )  # where a library holds the interpreter, no signal arrives
    started, wrong = time.perf_counter(), None
    try:
        read()
        tally.accepted += 1
    except PhysnnError as error:
        tally.refused += 1
        wrong = fault_of_line(str(error))
    except Hang:
        wrong = f"took more than {limit_s:g} s"
    except MemoryError:
        wrong = "ran out of memory"
    except BaseException:
        wrong = traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
    tally.examples += 1
    tally.slowest_s = max(tally.slowest_s, time.perf_counter() - started)
    peak = peak_bytes()
    tally.peak_bytes = max(tally.peak_bytes, peak)
    if peak > LARGEST_BYTES:
        wrong = wrong or f"grew to {peak / 2**20:.0f} MiB"
    return wrong


def fault_of_line(text: str) -> str | None:
    """What is wrong with an error's text."""
    if len(text.splitlines()) != 1 or "Traceback" in text or not text.strip():
        return f"not one line: {text[:500]!r}"
    if not text.isprintable():
        return f"not printable: {text[:500]!r}"
    return f"a line of {len(text)} characters: {text[:700]!r}" if len(text) >= LONGEST_LINE else None


def peak_bytes() -> int:
    """The largest resident size that this process has had; it does not count that of its parent, as ru_maxrss does."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    """Count the largest resident size from the present one on."""
    Path("/proc/self/clear_refs").write_text("5")


def _ring(*_: object) -> None:
    raise Hang


# --- what is done to bytes and to files --------------------------------------------------------------------------


def cut(data: bytes, where: int) -> bytes:
    return data[: where % (len(data) + 1)]


def flip(data: bytes, where: int, mask: int) -> bytes:
    changed = Bytes(data or b"\0")
    changed[where % len(changed)] ^= mask
    return bytes(changed)


def splice(data: bytes, where: int, piece: bytes) -> bytes:
    at = where % (len(data) + 1)
    return data[:at] + piece + data[at:]


def drop_line(data: bytes, where: int) -> bytes:
    lines = data.splitlines(True)
    return b"".join(lines[: where % max(1, len(lines))] + lines[where % max(1, len(lines)) + 1 :])


def repeat_line(data: bytes, where: int, times: int) -> bytes:
    lines = data.splitlines(True) or [b"\n"]
    at = where % len(lines)
    times = min(times, max(1, 2**25 // max(len(lines[at]), 1)))  # this script must not run out of memory itself
    return b"".join(lines[:at] + [lines[at]] * times + lines[at:])


def recode(data: bytes, coding: str) -> bytes:
    return data.decode("utf-8", "replace").encode(coding, "replace")


PIECES = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\x1b]0;x\x07", b"[" * DEEP, b"{" * DEEP, b'"' * 3,
    b"a=" + b"{a=" * DEEP, b"#" * 1000,
    b"\n[" + b" " * 3000 + b"\n", b"\nx = [\n[" + b" " * 20_000 + b"\n 1]]\n", b"\n" + b"a." * 100_000 + b"a = 1\n",
    b"\n'" + b" " * 60_000 + b"' = 1\n'" + b" " * 60_000 + b"' = 1\n",
    b"\n".join(b"k%d = 1" % n for n in range(20_000)),
)  # fmt: skip
BYTE_EDITS = st.one_of(
    st.tuples(st.just(cut), WHERE),
    st.tuples(st.just(flip), WHERE, st.integers(1, 255)),
    st.tuples(st.just(splice), WHERE, st.binary(max_size=20) | st.sampled_from(PIECES)),
    st.tuples(st.just(drop_line), WHERE),
    st.tuples(st.just(repeat_line), WHERE, st.sampled_from([1, 2, 2000])),
    st.tuples(st.just(recode), st.sampled_from(["utf-16", "utf-32", "latin-1", "utf-8-sig", "cp037"])),
)


def special(path: Path, what: str) -> None:
    """Put something at `path` that is no ordinary file of the right size."""
    match what:
        case "missing":
            return
        case "zero" | "full":
            path.symlink_to(f"/dev/{what}")
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "memory":
            path.symlink_to("/proc/self/mem")
        case "spaces" | "brackets" | "keys":
            piece = {
                "spaces": b" " * 2**20,
                "brackets": b"[" * 2**20,
                "keys": b"\n".join(b"k%d = 1" % n for n in range(10**5)),
            }[what]
            with path.open("wb") as file:
                for _ in range(1 if what == "keys" else 100):
                    file.write(piece)
        case "sparse" | "large array":
            with path.open("wb") as file:
                file.write(struct.pack("<Q", 2**40))
                file.truncate(2**40 if what == "sparse" else LARGEST_CHECKPOINT)


SPECIAL = (
    "missing",
    "zero",
    "full",
    "fifo",
    "folder",
    "loop",
    "memory",
    "spaces",
    "brackets",
    "keys",
    "sparse",
    "large array",
)


def mostly(edits: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One to three edits of an original; now and then something special in its place."""
    return st.one_of(*[st.lists(edits, min_size=1, max_size=3)] * 14, st.sampled_from(SPECIAL))


def remove(path: Path) -> None:
    """Whatever is at a path."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def write_edited(path: Path, data: bytes, edits: Any) -> None:
    """The file of a recipe: an original with edits of its bytes, or something special in its place."""
    remove(path)
    if isinstance(edits, str):
        special(path, edits)
        return
    for function, *arguments in edits:
        data = function(data, *arguments)
    path.write_bytes(data.replace(b"@/", bytes(path.parent) + b"/"))


# --- TOML --------------------------------------------------------------------------------------------------------


def toml_text(text: str) -> str:
    return json.dumps(text).replace("\\ud7ff", "")


LITERALS = (
    "true", "''", '"text"', '"two\\nlines"', '"\\u001b[31m"', "[]", "[[]]", "{}", "{a = {b = 1}}", "[1, 'a', {}]",
    "-1", "0", "1", "-0.0", "0.5", "nan", "-inf", "inf",
    "1e308", "1e400", "-1e-320", "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "9999-99-99", "1" + "0" * 400,
    "1" + "0" * 5000, "0x" + "f" * 5000, f"{2**40}", f"{2**63}",
    "[" * DEEP + "]" * DEEP, "[" * 90 + "]" * 90, "{a=" * 90 + "1" + "}" * 90, "[" + "0," * 60_000 + "]",
    "[" + '"ideal-torch",' * 15_000 + "]", "[" + "7," * 101 + "]",
    f"[{2**40}]", f"[{2**31}, {2**31}]", "[20_000, 20_000]", "[1.0]", "[nan]", '["digits", "digits"]',
    '"9**9**9**9 J"', '"J**(9**9**9)"', '"PJ**25/J**24"', '"9**9_9_9_9_9 J"',
    '"degC**2/K"', '"dBm"', '"((((J"', '"J/0"', '"' + "x" * 5000 + '"', '"cuda"',
    "{reflected-wave = 0.1}", "{x = 1, reflected-wave = -1}", "1e-300", "1e300",
    *(toml_text(path) for path in PATHS), *(f"[{toml_text(path)}]" for path in PATHS),
)  # fmt: skip


def assign(data: bytes, where: int, literal: str) -> bytes:
    """Give another value to one of the keys."""
    lines = data.decode("utf-8", "replace").split("\n")
    keys = [n for n, line in enumerate(lines) if "=" in line and not line.startswith("#")] or [0]
    at = keys[where % len(keys)]
    return "\n".join([*lines[:at], f"{lines[at].partition('=')[0] or 'x'}= {literal}", *lines[at + 1 :]]).encode(
        "utf-8", "replace"
    )


def rename(data: bytes, where: int, name: str) -> bytes:
    """Give another name to one of the keys or tables."""
    lines = data.decode("utf-8", "replace").split("\n")
    keys = [n for n, line in enumerate(lines) if "=" in line or line.startswith("[")] or [0]
    at = keys[where % len(keys)]
    _, equals, rest = lines[at].partition("=")
    return "\n".join([*lines[:at], f"{name} = {rest}" if equals else f"[{name}]", *lines[at + 1 :]]).encode(
        "utf-8", "replace"
    )


NAMES = (
    '"a\\nb"',
    '"\\u0000"',
    '""',
    "x",
    "a.b.c",
    '"' + "x" * 5000 + '"',
    "a." * 40 + "a",
    '"../../etc/passwd"',
    "hiden",
    "energy",
    "name",
    '"\\u001b"',
)
TOML_EDITS = st.one_of(
    st.tuples(st.just(assign), WHERE, st.sampled_from(LITERALS)),
    st.tuples(st.just(assign), WHERE, st.sampled_from(LITERALS)),
    st.tuples(st.just(rename), WHERE, st.sampled_from(NAMES)),
    BYTE_EDITS,
)


# --- JSON, and the two parts of a checkpoint ---------------------------------------------------------------------

DEEP_LIST, DEEP_TABLE = "<deep list>", "<deep table>"
VALUES = (
    None, True, False, "", "text", "1", [], [[]], {}, {"array": "gone"}, {"array": 3}, {"array": ["x"]}, {"": {}},
    -1, 0, 1, 7, 2**40, 2**63, 10**400, 0.5, -0.0, 1e308,
    float("nan"), float("inf"), ["a"], [1, 2], {"a": {"b": []}}, "x" * 5000, "physnn.checkpoint/2", "done",
    "../../etc/passwd", "\0\x1b[31m\n", DEEP_LIST, DEEP_TABLE, "<1e999>",
)  # fmt: skip
TREE_EDITS = st.one_of(
    st.tuples(st.just("set"), WHERE, st.integers(0, len(VALUES) - 1)),
    st.tuples(st.just("set"), WHERE, st.integers(0, len(VALUES) - 1)),
    st.tuples(st.just("drop"), WHERE, st.just(0)),
    st.tuples(st.just("rename"), WHERE, st.integers(0, len(PATHS) - 1)),
    st.tuples(st.just("swap"), WHERE, WHERE),
    st.tuples(st.just("add"), WHERE, st.integers(0, len(VALUES) - 1)),
)


def json_text(value: Any) -> str:
    """JSON with the values that `json` cannot write."""
    text = json.dumps(value)
    deep = {DEEP_LIST: "[" * DEEP + "]" * DEEP, DEEP_TABLE: '{"a":' * DEEP + "1" + "}" * DEEP, "<1e999>": "1e999"}
    for name, written in deep.items():
        text = text.replace(json.dumps(name), written)
    return text


def places(tree: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every entry of a JSON tree."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else []
    return [place for key in keys for place in [(tree, key), *places(tree[key])]]


def edit_tree(tree: Any, edit: tuple[str, int, int]) -> None:
    """One edit of a JSON tree, in place."""
    action, where, other = edit
    found = places(tree)
    if not found:
        return
    inside, key = found[where % len(found)]
    match action:
        case "set":
            inside[key] = copy.deepcopy(VALUES[other])
        case "drop":
            del inside[key]
        case "rename" if isinstance(inside, dict):
            inside[PATHS[other]] = inside.pop(key)
        case "swap":
            second, name = found[other % len(found)]
            inside[key], second[name] = copy.deepcopy(second[name]), copy.deepcopy(inside[key])
        case "add" if isinstance(inside[key], dict):
            inside[key]["extra"] = copy.deepcopy(VALUES[other])


TENSOR_VALUES: dict[str, tuple[Any, ...]] = {
    "dtype": ("BF16", "F16", "F32", "F8_E4M3", "F8_E5M2", "I64", "U8", "BOOL", "C64", "F4", "", 3, None),
    "shape": (
        [2**40], [2**63], [2**64], [-1], [0], [], [1] * 100, "x", [1.5], None,
        [2**32, 2**32], [0, 2**62], [2, 4], [12], [1, 12], [24], DEEP_LIST,
    ),
    "data_offsets": ([0, 2**40], [0, 0], [8, 0], [-1, 8], [0, 2**64], [0, 1.5], None, [0], [8, 16], "x"),
    "payload": (float("nan"), float("inf"), -1.0, 0.0, 1e308, -1e308, 1e-320),
}  # fmt: skip
TENSOR_EDITS = st.sampled_from([(what, n) for what, values in TENSOR_VALUES.items() for n in range(len(values))])
CHECKPOINT_EDITS = st.one_of(
    *[st.tuples(st.just("tree"), TREE_EDITS)] * 5,
    st.tuples(st.just("table"), TREE_EDITS),
    st.tuples(st.just("tensor"), WHERE, TENSOR_EDITS),
    st.tuples(st.just("length"), st.sampled_from([0, 1, 7, 2**22, 2**31, 2**63, 2**64 - 1, "one less", "one more"])),
    st.tuples(st.just("bytes"), BYTE_EDITS),
)


def edited_checkpoint(data: bytes, edits: list[tuple[Any, ...]]) -> bytes:
    """A checkpoint taken apart, edited, and put together again; edits of its bytes come last."""
    size = struct.unpack("<Q", data[:8])[0]
    table, payload = json.loads(data[8 : 8 + size]), Bytes(data[8 + size :])
    told, length, late = json.loads(table.pop("__metadata__")["physnn"]), None, []
    for kind, *rest in edits:
        match kind:
            case "tree":
                edit_tree(told, rest[0])
            case "table":
                edit_tree(table, rest[0])
            case "tensor":
                edit_tensor(table, payload, *rest)
            case "length":
                length = rest[0]
            case "bytes":
                late.append(rest[0])
    header = json_text({"__metadata__": {"physnn": json_text(told)}, **table}).encode("utf-8", "replace")
    declared = {"one less": len(header) - 1, "one more": len(header) + 1, None: len(header)}.get(length, length)
    whole = struct.pack("<Q", declared) + header + bytes(payload)
    for function, *arguments in late:
        whole = function(whole, *arguments)
    return whole


def write_large(path: Path, data: bytes) -> None:
    """A checkpoint of the largest size that is read, sound but for an array of zeros that nothing needs."""
    size = struct.unpack("<Q", data[:8])[0]
    table, payload = json.loads(data[8 : 8 + size]), data[8 + size :]
    told = json.loads(table["__metadata__"]["physnn"])
    told["tree"]["x"] = {"array": "x"}
    table["__metadata__"]["physnn"] = json.dumps(told)
    count = (LARGEST_CHECKPOINT - len(payload) - 2**16 - 8) // 8
    table["x"] = {"dtype": "F64", "shape": [count], "data_offsets": [len(payload), len(payload) + 8 * count]}
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 2**16) + json.dumps(table).encode().ljust(2**16) + payload)
        file.truncate(8 + 2**16 + len(payload) + 8 * count)


def edit_tensor(table: dict[str, Any], payload: bytearray, where: int, edit: tuple[str, int]) -> None:
    """One edit of an array: of its entry in the table, or of its numbers."""
    entries = [
        entry for entry in table.values() if isinstance(entry, dict) and isinstance(entry.get("data_offsets"), list)
    ]
    if not entries:
        return
    entry, (what, number) = entries[where % len(entries)], edit
    if what != "payload":
        entry[what] = copy.deepcopy(TENSOR_VALUES[what][number])
        return
    offsets = entry["data_offsets"]
    if len(offsets) == 2 and all(isinstance(n, int) and 0 <= n <= len(payload) for n in offsets):
        first, count = offsets[0], max(0, offsets[1] - offsets[0]) // 8
        payload[first : first + 8 * count] = np.full(count, TENSOR_VALUES[what][number]).tobytes()


# --- checkpoints -------------------------------------------------------------------------------------------------

NETWORK = Network.layered([Source("pixels", 4), Waveguide("hidden", 3), Waveguide("output", 2)])
OBJECTIVE = Objective(NETWORK.readout, SquaredError(), 2)
DATA = np.random.default_rng(7).random((20, 4)), np.arange(20) % 2
TRAININGS = (
    ("ideal-torch", ReflectedWave(), "adam", "ideal-torch"),
    ("ideal-torch", FeedbackAlignment(), "sgd", "ideal-waveguide"),
    ("ideal-waveguide", FeedbackAlignment(), "adam", "ideal-waveguide"),
    ("ideal-waveguide", ReflectedWave(), "sgd", "ideal-torch"),
)
"""written on, rule, optimiser, read on"""
_BATCHES_DONE = 8


class _Stopped(Exception):
    pass


@dataclass
class _Stopping:
    """A rule that stops the world after some batches."""

    rule: Any
    left: int

    @property
    def name(self) -> str:
        return self.rule.name

    def step(self, *arguments: Any) -> Any:
        if self.left == 0:
            raise _Stopped
        self.left -= 1
        return self.rule.step(*arguments)


class Checkpoints:
    """Progress.load refuses a checkpoint, or the training continues from it to its end or to another typed error."""

    recipes = st.tuples(st.integers(0, len(TRAININGS) - 1), mostly(CHECKPOINT_EDITS))

    def __init__(self, folder: Path) -> None:
        self.path = folder / "c.safetensors"
        self.sound = []
        for profile, rule, optimiser, _ in TRAININGS:
            self.path.unlink(missing_ok=True)
            try:
                train(
                    build(NETWORK, profile, seed=1),
                    _Stopping(rule, _BATCHES_DONE),
                    OBJECTIVE,
                    *DATA,
                    self.settings(optimiser),
                    seed=3,
                    checkpoint=self.path,
                    every=1,
                )
            except _Stopped:
                self.sound.append(self.path.read_bytes())

    @staticmethod
    def settings(optimiser: str) -> Settings:
        return Settings(epochs=3, batch=4, optimiser=optimiser)

    def prepare(self, recipe: Any) -> Callable[[], None]:
        which, edits = recipe
        _, rule, optimiser, profile = TRAININGS[which]
        remove(self.path)
        if edits == "large array":
            write_large(self.path, self.sound[which])
        elif isinstance(edits, str):
            special(self.path, edits)
        else:
            self.path.write_bytes(edited_checkpoint(self.sound[which], edits))
        choice = self.settings(optimiser)
        identity = identity_of(rule, choice, OBJECTIVE, 3)
        substrates = [build(NETWORK, profile, seed=1) for _ in range(2)]

        def read() -> None:
            try:
                Progress.load(self.path, substrates[0], optimiser, identity)
            except CheckpointError:
                raise
            except PhysnnError as error:
                raise AssertionError(f"{type(error).__name__} in place of CheckpointError: {error}") from error
            train(substrates[1], rule, OBJECTIVE, *DATA, choice, seed=3, checkpoint=self.path, every=1000)

        return read


# --- profiles ----------------------------------------------------------------------------------------------------


class Profiles:
    """A profile is found by its path and described, or refused; each of its faults is one line."""

    recipes = st.tuples(st.integers(0, len(profile_names()) - 1), mostly(TOML_EDITS))

    def __init__(self, folder: Path) -> None:
        self.folder, self.names = folder, profile_names()
        packs = find_pack()
        self.sound = [(packs / f"{name}.toml").read_bytes() for name in self.names]

    def prepare(self, recipe: Any) -> Callable[[], None]:
        which, edits = recipe
        self.path = self.folder / f"{self.names[which]}.toml"
        write_edited(self.path, self.sound[which], edits)

        def read() -> None:
            for fault in check_profile_file(self.path):
                if fault_of_line(fault):
                    raise AssertionError(fault_of_line(fault))
            describe(load_profile(self.path))
            describe(find_profile(str(self.path)))

        return read


def find_pack() -> Path:
    """The folder of the shipped profiles."""
    import physnn_profiles

    return Path(physnn_profiles.__path__[0])


# --- experiments: their file, their data, their records ----------------------------------------------------------

SMALL = """
name = "small"
datasets = ["digits"]
rules = ["reflected-wave"]
run_on = ["ideal-torch"]
train_on = ["@/good.toml"]
seeds = [0]
inference_batch = 1
target_accuracy = 0.9
device = "cpu"
[network]
hidden = [4]
activation = "tanh"
damping = 1.0
bias = true
gain = [1.0, 0.1]
[training]
epochs = 1
batch = 32
rate = {reflected-wave = 0.01}
schedule = "cosine"
optimiser = "adam"
loss = "squared"
"""
_HEADER = b"\x93NUMPY\x01\x00"
ARRAY_HEADERS = (
    "'<f8', 'shape': (20, 4)", "'<f8', 'shape': (2**40, 4)", f"'<f8', 'shape': ({2**40}, 4)",
    f"'<f8', 'shape': ({2**62}, {2**62})", "'<f8', 'shape': (-1, 4)", "'<f8', 'shape': (True,)",
    "'|O', 'shape': (20, 4)", "'<U99999999', 'shape': (20, 4)", "'<c16', 'shape': (20, 2)",
    "'<i8', 'shape': (20, 4)", "'<M8[s]', 'shape': (20, 4)", "[('a', '<f8')], 'shape': (80,)",
    "'|V1', 'shape': (640,)", "'|b1', 'shape': (640,)", "'<f8', 'shape': (0, 99)", "'>f8', 'shape': (20, 4)",
    "'<f8', 'shape': 3", "(" * 200 + "'<f8'" + ")" * 200 + ", 'shape': ()",
)  # fmt: skip
EXPERIMENT_RECIPES = st.one_of(
    st.tuples(st.just("built-in"), mostly(TOML_EDITS)),
    *[st.tuples(st.just("small"), mostly(TOML_EDITS))] * 3,
    st.tuples(st.just("data"), mostly(BYTE_EDITS)),
    st.tuples(st.just("arrays"), st.tuples(*[st.sampled_from(ARRAY_HEADERS)] * 2, st.booleans())),
    st.tuples(st.just("record"), st.lists(TREE_EDITS, min_size=1, max_size=3)),
    st.tuples(st.just("record bytes"), mostly(BYTE_EDITS)),
    st.tuples(st.just("mark"), mostly(BYTE_EDITS)),
)


class Experiments:
    """An experiment is read with its data, its networks built and its records looked up, or it is refused."""

    recipes = EXPERIMENT_RECIPES

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "e.toml"
        self.built_in = BUILT_IN.read_bytes()
        (folder / "good.toml").write_bytes((find_pack() / "cpu-x86.toml").read_bytes().replace(b'"cpu-x86"', b'"good"'))
        for name in ("fifo", "zero", "folder", "loop"):
            for ending in ("toml", "npz"):
                special(folder / f"{name}.{ending}", name)
        packed = io.BytesIO()
        np.savez_compressed(packed, inputs=DATA[0], labels=DATA[1])
        self.data = packed.getvalue()
        (folder / "mine.npz").write_bytes(self.data)
        self.own = Cell(train_on="ideal-torch", run_on="ideal-torch", rule="reflected-wave", dataset="digits", seed=0)

    def prepare(self, recipe: Any) -> Callable[[], None]:
        what, edits = recipe
        small = SMALL.encode()
        match what:
            case "built-in":
                write_edited(self.path, self.built_in, edits)
            case "small":
                write_edited(self.path, small, edits)
            case "data" | "arrays":
                target = self.folder / "mine.npz"
                remove(target)
                write_edited(self.path, small.replace(b'"digits"', b'"@/mine.npz"'), [])
                if what == "data":
                    write_edited(target, self.data, edits)
                else:
                    self.write_arrays(target, *edits)
            case _:
                return self.prepare_record(what, edits)
        return self.read_all

    def read_all(self) -> None:
        """What `physnn compare` does with an experiment before the first cell runs."""
        experiment = read_experiment(self.path)
        for name in experiment.datasets:
            data = experiment.data(name)
            experiment.network.build(data.width, data.classes)
        for rule in experiment.rules:
            experiment.training.settings(rule)
        self.look_up(experiment)

    def look_up(self, experiment: Any) -> None:
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        json.dumps(Store(out, experiment).results(), allow_nan=False)

    def write_arrays(self, path: Path, inputs: str, labels: str, compressed: bool) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
            for name, header in (("inputs.npy", inputs), ("labels.npy", labels)):
                text = f"{{'descr': {header}, 'fortran_order': False}}\n".encode()
                archive.writestr(name, _HEADER + struct.pack("<H", len(text)) + text + bytes(640))

    def prepare_record(self, what: str, edits: Any) -> Callable[[], None]:
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        experiment = built_in().model_copy(
            update={"run_on": ("ideal-torch",), "datasets": ("digits",), "rules": ("reflected-wave",), "seeds": (0,)}
        )
        store = Store(out, experiment)
        record = empty_record(self.own) | {"status": "done"}
        target = out / "experiment.json" if what == "mark" else store.cells / f"{self.own.key}.json"
        store.put(self.own, record)
        if what == "record":
            for edit in edits:
                edit_tree(record, edit)
            target.write_text(json_text(record), encoding="utf-8", errors="replace")
        else:
            write_edited(target, target.read_bytes(), edits)

        def read() -> None:
            from physnn.report.cells import cells_of

            again = Store(out, experiment).results()
            json.dumps(again, allow_nan=False)
            cells_of(again)

        return read


# --- running -----------------------------------------------------------------------------------------------------

KINDS: dict[str, Any] = {"checkpoint": Checkpoints, "profile": Profiles, "experiment": Experiments}


def run_shard(kind: str, examples: int, number: int, folder: Path) -> Tally:
    """Some examples of one kind in this process; what fails is kept in `folder`."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (8 * LARGEST_BYTES, limit))  # so that a fault here does not take the machine
    tally = Tally(kind)
    with tempfile.TemporaryDirectory() as place:
        files = KINDS[kind](Path(place))

        @seed(number)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(KINDS[kind].recipes)
        def one(recipe: Any) -> None:
            (folder / "recipe").write_text(repr(recipe))
            read = files.prepare(recipe)
            kept = {path: path.read_bytes() for path in Path(place).rglob("*") if is_small_file(path)}
            wrong = judge(read, tally)
            if wrong:
                where = folder / f"{len(tally.failures)}"
                for path, data in kept.items():
                    copy_of = where / path.relative_to(place)
                    copy_of.parent.mkdir(parents=True, exist_ok=True)
                    copy_of.write_bytes(data)
                tally.failures.append(f"{wrong}\nrecipe: {repr(recipe)[:500]}\nfiles: {where}")

        one()
    return tally


def is_small_file(path: Path) -> bool:
    """Whether a file is worth keeping with a failure."""
    return path.is_file() and not path.is_symlink() and path.stat().st_size <= KEPT_BYTES


def run_child(kind: str, examples: int, number: int) -> Tally:
    """The same in a child process."""
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{kind}-"))
    command = [
        sys.executable,
        __file__,
        "--shard",
        kind,
        "--examples",
        str(examples),
        "--seed",
        str(number),
        "--keep",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        found = Tally(**json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        recipe = (folder / "recipe").read_text() if (folder / "recipe").exists() else "none yet"
        return Tally(
            kind, failures=[f"its process ended with {done.returncode}: {done.stderr[-3000:]}\nrecipe: {recipe[:500]}"]
        )
    if not found.failures:
        shutil.rmtree(folder)
    return found


def run(examples: int, number: int, workers: int) -> list[Tally]:
    """All kinds, in shards, side by side."""
    shards = []
    for position, kind in enumerate(KINDS):
        left = examples // len(KINDS) + (position < examples % len(KINDS))
        while left > 0:
            shards.append((kind, min(SHARD, left), number * 1000 + len(shards)))
            left -= SHARD
    tallies = {kind: Tally(kind) for kind in KINDS}
    with ThreadPoolExecutor(workers) as pool:
        for found in pool.map(lambda shard: run_child(*shard), shards):
            tallies[found.kind].add(found)
    return list(tallies.values())


def table(tallies: list[Tally]) -> str:
    """One line a kind."""
    lines = [f"{'kind':<12}{'examples':>9}{'refused':>9}{'accepted':>9}{'failed':>8}{'slowest':>10}{'peak':>10}"]
    for t in tallies:
        peak = f"{t.peak_bytes / 2**20:.0f} MiB"
        numbers = f"{t.examples:>9}{t.refused:>9}{t.accepted:>9}{len(t.failures):>8}"
        lines.append(f"{t.kind:<12}{numbers}{t.slowest_s:>8.2f} s{peak:>10}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--examples", type=int, default=10_000, help="in all, over the three kinds (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--shard", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--keep", type=Path, help=argparse.SUPPRESS)
    given_ = parser.parse_args(arguments)
    if given_.shard:
        print(json.dumps(asdict(run_shard(given_.shard, given_.examples, given_.seed, given_.keep))))
        return 0
    tallies = run(given_.examples, given_.seed, given_.workers)
    for failure in [failure for tally in tallies for failure in tally.failures]:
        print(failure, end="\n\n")
    print(table(tallies))
    missing = given_.examples - sum(tally.examples for tally in tallies)
    if missing:
        print(f"{missing} examples were not run")
    return 1 if missing or any(tally.failures for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
