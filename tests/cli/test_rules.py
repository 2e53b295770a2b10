"""`physnn rules`: the list, one rule, a misspelt one."""

import pytest

from physnn.cli import main
from physnn.learning import RULES


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def test_list_names_every_rule(capsys):
    assert main(["rules"]) == 0
    out = capsys.readouterr().out
    for name in RULES:
        assert any(line.split()[:1] == [name] for line in out.splitlines())


@pytest.mark.parametrize("name", RULES)
def test_show_says_all_that_a_rule_says_of_itself(name, capsys):
    assert main(["rules", "show", name]) == 0
    shown = "".join(capsys.readouterr().out.split())
    about = RULES[name]().about
    for text in (about.equation, about.companion, about.needs, about.local, about.not_local, about.source):
        assert text and text.replace(" ", "")[:60] in shown


def test_an_unknown_rule_offers_the_nearest(capsys):
    assert main(["rules", "show", "autgrad"]) == 2
    assert "did you mean 'autograd'" in capsys.readouterr().err
