"""Options of SIPp on our command line: each that is not there is one line that says what to write instead."""

import click
import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.cli.app import cli
from sipswarm.actors.cli.loads.sipp_options import understood
from sipswarm.actors.sipp.options import OPTIONS

VERBS = ("load", "answer", "robot", "call")
LOAD = click.Context(cli.commands["load"], info_name="load")


def names_of(verb: str) -> set[str]:
    """The options that a verb has."""
    return {name for parameter in cli.commands[verb].params for name in parameter.opts}


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_sipp_that_a_verb_lacks_says_what_to_write(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = [name for name in OPTIONS if name not in names_of(verb) and (verb, name) != ("load", "-rp")]
    assert "-trace_screen" in lacking
    for name in lacking:
        assert main([verb, "127.0.0.1:9", name, *["1"] * OPTIONS[name].values]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"sipswarm {verb}: {name} is an option of SIPp")
        assert OPTIONS[name].taken or OPTIONS[name].text in said


def test_a_load_has_the_options_that_the_table_says_are_taken() -> None:
    assert {name for name, option in OPTIONS.items() if option.taken} == (OPTIONS.keys() & names_of("load")) | {"-rp"}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["a@b", "-t", "u1", "-r", "5"], ["a@b", "-t", "udp", "-r", "5"]),
        (["a@b", "-t", "t1"], ["a@b", "-t", "tcp"]),
        (["a@b", "-t", "l1"], ["a@b", "-t", "tls"]),
        (["a@b", "-t", "tls"], ["a@b", "-t", "tls"]),
        (["-s", "-rp", "a@b"], ["-s", "-rp", "a@b"]),
        (["a@b", "-r", "7", "-rp", "2000"], ["a@b", "-r", "3.5"]),
        (["-rp", "5s", "--rate", "1", "a@b"], ["--rate", "0.2", "a@b"]),
        (["a@b", "-rp", "500"], ["a@b", "-r", "20"]),
        (["a@b", "-rp", "500", "-r", "fast"], ["a@b", "-r", "fast"]),
        (
            ["-fd", "1", "-recv_timeout", "5000", "-T2", "4000"],
            ["-fd", "1s", "-recv_timeout", "5000ms", "-T2", "4000ms"],
        ),
        (["-fd", "500ms", "-recv_timeout", "5s", "-d", "500"], ["-fd", "500ms", "-recv_timeout", "5s", "-d", "500"]),
        (["--header", "-mp", "-t", "udp"], ["--header", "-mp", "-t", "udp"]),
        (["--", "-mp"], ["--", "-mp"]),
        (["a@b", "-t"], ["a@b", "-t"]),
        (["a@b", "--quiet", "-t", "u1"], ["a@b", "--quiet", "-t", "udp"]),
        (["-inf", "a", "-inf", "b", "--data", "c"], ["-inf", "a", "--more-data", "b", "--more-data", "c"]),
        (["--header", "-inf", "-inf", "a"], ["--header", "-inf", "-inf", "a"]),
        (["-sf", "a.xml", "--scenario", "b.xml"], ["-sf", "a.xml", "--second-scenario", "b.xml"]),
    ],
)
def test_what_is_meant_is_taken_and_values_are_left_alone(arguments: list[str], found: list[str]) -> None:
    assert understood(LOAD, arguments) == found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a@b", "-t", "un"], "-t un: there is no such transport; write udp, tcp or tls"),
        (["a@b", "--quiet", "-mp", "6000"], "-mp is an option of SIPp: write --rtp-ports FIRST-LAST"),
        (["-rp", "soon", "a@b"], "-rp soon is no time above 0; write milliseconds, or 5s"),
        (["-rp", "0", "a@b"], "-rp 0 is no time above 0"),
        (
            ["a@b", "-mp", "6000", "-trace_screen", "-t", "tn", "-m", "1", "-nostdin"],
            (
                "-mp is an option of SIPp: write --rtp-ports FIRST-LAST: each call has a port of its own; "
                "-trace_screen is an option of SIPp: write --out DIRECTORY: report.html has the figures of the screen; "
                "-t tn: there is no such transport; write udp, tcp or tls; -nostdin is an option of SIPp: drop it"
            ),
        ),
    ],
)
def test_what_is_not_there_is_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(click.UsageError) as raised:
        understood(LOAD, arguments)
    assert raised.value.message.startswith(said)
