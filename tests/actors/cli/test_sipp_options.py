"""Options of SIPp on our command line: each that is not there is one line that says what to write instead."""

import re
from pathlib import Path

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
        assert OPTIONS[name].taken or OPTIONS[name].text in said or (verb, name) == ("robot", "-timeout")


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
        (["a@b", "-r50", "-m1", "-d5s", "-l10", "-p5070"], ["a@b", "-r50", "-m1", "-d5s", "-l10", "-p5070"]),
        (["-i127.0.0.1", "-s1234", "-sf=a.xml", "-"], ["-i127.0.0.1", "-s1234", "-sf=a.xml", "-"]),
        (["-key", "a", "-b", "-set", "c", "-nosuch", "-s"], ["-key", "a", "-b", "-set", "c", "-nosuch", "-s"]),
        (["-s", "-skip_rlimits"], ["-s", "-skip_rlimits"]),
    ],
)
def test_what_is_meant_is_taken_and_values_are_left_alone(arguments: list[str], found: list[str]) -> None:
    assert understood(LOAD, arguments) == found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a@b", "-t", "un"], "-t un: there is no such transport; write udp, tcp or tls"),
        (["a@b", "--quiet", "-mp", "6000"], "-mp is an option of SIPp: write --rtp-ports FIRST-LAST"),
        (["a@b", "-trace_stats"], "there is no option -trace_stats; the nearest one is -trace_stat"),
        (["a@b", "-skip_rlimits"], "there is no option -skip_rlimits; the nearest one is -skip_rlimit"),
        (["a@b", "-recv_timout", "5s"], "there is no option -recv_timout; the nearest one is -recv_timeout"),
        (["a@b", "-max_retran", "5"], "there is no option -max_retran; the nearest one is -max_retrans"),
        (["a@b", "-min_rtp_port", "6000"], "-min_rtp_port is an option of SIPp: write --rtp-ports FIRST-LAST"),
        (["a@b", "-salice"], "there is no option -salice; a word behind -s needs a space: -s alice"),
        (["a@b", "-xyzzy"], "there is no option -xyzzy"),
        (["a@b", "-tudp", "-xyzzy"], "there is no option -tudp; a word behind -t needs a space: -t udp; there is no"),
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


@pytest.mark.parametrize("verb", ["load", "answer", "robot", "call", "probe", "registrar"])
def test_no_misspelt_option_of_sipp_is_taken_for_a_short_one(verb: str) -> None:
    context = click.Context(cli.commands[verb], info_name=verb)
    known = {*OPTIONS, *names_of(verb)}
    for name in OPTIONS:
        for misspelt in {f"{name}x", name[:-1], f"{name[:2]}_{name[2:]}"} - known:
            if len(misspelt) > 2 and not misspelt[1].isdigit():
                with pytest.raises(click.UsageError, match=f"^there is no option {misspelt}"):
                    understood(context, [misspelt, "x"])


def test_each_option_that_the_page_about_sipp_names_is_known() -> None:
    page = (Path(__file__).parents[3] / "docs" / "from-sipp.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `-")]
    named = {name for row in rows for name in re.findall(r"(?<=`)-[A-Za-z0-9_]+", row)}
    assert len(named) > 60
    assert named <= OPTIONS.keys()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-sf", "x.xml", "127.0.0.1"], "sipswarm: -sf belongs to a verb; write load TARGET -sf …, or robot -sf …"),
        (["127.0.0.1:5060", "-sn", "uac"], "sipswarm: -sn belongs to a verb; write load TARGET -sn …, or robot -sn …"),
        (["-v"], "sipswarm: -v is an option of SIPp: write --version"),
        (["robot", "-sn", "uas", "-timeout", "9"], "-timeout is an option of SIPp: write timeout SECONDS before the"),
        (["load", "127.0.0.1", "-key", "a"], "sipswarm load: Option '-key' requires 2 arguments. (see sipswarm load"),
        (["load", "::1", "-m", "1"], "target '::1': not a host name; write [::1], or [::1]:5060"),
        (["load", "127.0.0.1", "-m", "1", "-sn", "uac", "-fd", "1s", "-d", "5"], "'5' has no unit: SIPp's -d means"),
    ],
)
def test_a_line_of_sipp_says_what_is_missing(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_only_the_pause_of_sipp_is_said_to_have_another_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sipswarm.toml").write_text("fd = 1\n")
    assert main(["load", "127.0.0.1", "-m", "1", "-sn", "uac"]) == 2
    assert "'-fd': '1' has no unit: write 1s or 1ms" in capsys.readouterr().err
