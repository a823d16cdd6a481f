"""An empty value, as of a variable of a shell script that is not set, is refused by the name of its option."""

from pathlib import Path

import click
import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.cli.app import cli

NEEDED = {"load": ["127.0.0.1"], "call": ["127.0.0.1"], "convert": ["uac.xml"], "check": ["load"]}
"""Arguments that each of these verbs needs."""
WITH_VALUE = [
    (verb, name)
    for verb, command in cli.commands.items()
    for each in command.params
    if isinstance(each, click.Option) and not each.is_flag and not each.count
    for name in each.opts
]
ARGUMENTS = [
    (verb, each.make_metavar(click.Context(command)).strip("[]."))
    for verb, command in cli.commands.items()
    for each in command.params
    if isinstance(each, click.Argument) and each.nargs == 1
]
PAIRS = ("-key", "-set")
"""Options of two words, a name and a text."""


@pytest.mark.parametrize("empty", ["", "\t \n"], ids=repr)
def test_no_option_of_any_verb_takes_an_empty_value(empty: str) -> None:
    taken = []
    for verb, name in WITH_VALUE:
        command = cli.commands[verb]
        parameter = next(each for each in command.params if name in each.opts)
        arguments = [*NEEDED.get(verb, []), name, empty, *["x"] * (parameter.nargs - 1)]
        try:
            command.make_context(verb, arguments)
        except click.BadParameter as error:
            if name in error.format_message() and "it is empty; give a value, or leave it out" in error.message:
                continue
        taken.append((verb, name))
    assert not taken
    assert len(WITH_VALUE) > 200


@pytest.mark.parametrize("name", ["--expect-dtmf", "--scenario", "--data", "--out", "--threshold", "-r", "--metrics"])
def test_a_load_with_an_empty_value_begins_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["load", "127.0.0.1", "-m", "1", name, ""]) == 2
    said = capsys.readouterr().err
    assert f"{name}'" in said
    assert "it is empty" in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("empty", ["", "  "], ids=repr)
@pytest.mark.parametrize(("verb", "shown"), ARGUMENTS, ids=str)
def test_no_argument_of_any_verb_may_be_empty(
    verb: str, shown: str, empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, empty]) == 2
    said = capsys.readouterr().err
    assert "it is empty; give a value, or leave it out" in said
    assert shown.upper().split("|")[0] in said.upper()


def test_an_empty_value_of_a_file_is_refused_and_an_empty_variable_counts_as_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sipswarm.toml").write_text('[load]\nexpect-dtmf = ""\n')
    assert main(["load", "127.0.0.1", "-m", "1", "--print-config"]) == 2
    assert "'--expect-dtmf': it is empty" in capsys.readouterr().err
    (tmp_path / "sipswarm.toml").write_text('[load]\nthreshold = ["answered>=1", " "]\n')
    assert main(["load", "127.0.0.1", "-m", "1", "--print-config"]) == 2
    assert "'--threshold': it is empty" in capsys.readouterr().err
    (tmp_path / "sipswarm.toml").unlink()
    monkeypatch.setenv("SIPSWARM_EXPECT_DTMF", "")
    assert main(["load", "127.0.0.1", "-m", "1", "--print-config"]) == 0
    assert "expect-dtmf = none  (default)" in capsys.readouterr().out
    monkeypatch.setenv("SIPSWARM_EXPECT_DTMF", " ")
    assert main(["load", "127.0.0.1", "-m", "1", "--print-config"]) == 2
    assert "'--expect-dtmf': it is empty" in capsys.readouterr().err


@pytest.mark.parametrize("name", PAIRS)
def test_the_text_of_a_keyword_or_variable_may_be_empty(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["load", "127.0.0.1", "-m", "1", "-sn", "uac", "--print-config"]
    assert main([*arguments, name, "tenant", ""]) == 0
    assert main([*arguments, name, "tenant", "blue", name, "", "x"]) == 2
    assert f"'{name}': it is empty" in capsys.readouterr().err
