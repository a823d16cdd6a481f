"""The command line without any process: help, errors, values, what is shown, what signals do."""

import asyncio
import importlib.metadata
import io
import os
import re
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.cli.app import cli
from sipswarm.actors.cli.info import installed
from sipswarm.actors.cli.load import read_profile
from sipswarm.actors.cli.options import RunOptions, options, run_options
from sipswarm.actors.cli.progress import NoProgress, PlainProgress, TerminalProgress, choose_progress
from sipswarm.actors.cli.run import Signals, run
from sipswarm.actors.cli.target import checked_hop, complete, local_address
from sipswarm.actors.cli.values import (
    DEFAULT_METRICS,
    NO_METRICS,
    Codecs,
    Condition,
    Digits,
    Duration,
    Header,
    ListenAddress,
    Media,
    MetricsAddress,
    MetricsPlace,
    Network,
    PortRange,
    Ramp,
    Shard,
    SipUri,
)
from sipswarm.actors.cli.verdict import result_lines, say_result
from sipswarm.actors.config import (
    AccountConfig,
    AnswerConfig,
    HandedDown,
    Listener,
    LoadConfig,
    NodeConfig,
    NodeSettings,
    ProcessOrder,
    RobotConfig,
    ServerConfig,
)
from sipswarm.actors.counting.table import METRICS
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.load.report import Ending, Report
from sipswarm.actors.load.results import Results
from sipswarm.actors.load.thresholds import Threshold
from sipswarm.actors.supervisor.node_totals import ProcessFigures
from sipswarm.sipcore.message.hop import Hop

LOAD = ["load", "127.0.0.1"]


# ---- help, errors, exit codes


@pytest.mark.parametrize("verb", [[], *([name] for name in cli.commands)], ids=str)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_verb_has_help(verb: list[str], flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb, flag]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(f"Usage: sipswarm {' '.join(verb)}".strip())
    assert not shown.err


@pytest.mark.parametrize("verb", ["answer", "robot", "call", "load", "probe", "registrar", "proxy", "check", "demo"])
def test_help_shows_examples_that_are_taken(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alice.password").write_text("secret\n")
    (tmp_path / "alice.password").chmod(0o600)
    main([verb, "--help"])
    text = capsys.readouterr().out
    examples = [line.split() for line in re.findall(rf"^ +sipswarm ({verb}.*)$", text, re.MULTILINE)]
    assert examples
    for _, *arguments in examples:
        command = cli.commands[verb]
        with command.make_context(verb, [each.strip("'") for each in arguments]):
            pass


def test_nothing_said_is_answered_with_the_help_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("Usage: sipswarm")


def test_no_password_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "password"
    file.write_text("open-sesame\n")
    file.chmod(0o600)
    account = ["--auth-user", "alice", "--auth-password-file", str(file)]
    assert main(["check", *LOAD, "-m", "1", *account]) == 0
    assert main([*LOAD, "-m", "1", *account, "--print-config"]) == 0
    shown = capsys.readouterr()
    assert "open-sesame" not in shown.out + shown.err
    assert "open-sesame" not in repr(AccountConfig(user="alice", password="open-sesame"))


def test_check_shows_the_invite_that_the_call_options_make(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--from", "alice@example.org", "--proxy", "127.0.0.1:5099", "--codec", "pcma", "--header", "X-Test: 1"]
    assert main(["check", "load", "bob@192.0.2.7", "-m", "1", *options]) == 0
    shown = capsys.readouterr().out
    assert "to 127.0.0.1:5099\n" in shown
    lines = [line.strip() for line in shown.partition("the first INVITE:")[2].splitlines()]
    assert "INVITE sip:bob@192.0.2.7 SIP/2.0" in lines
    assert "X-Test: 1" in lines
    assert any(line.startswith("From: <sip:alice@example.org>;tag=") for line in lines)
    assert any(re.fullmatch(r"m=audio \d+ RTP/AVP 8 101", line) for line in lines)


def test_check_names_what_would_be_registered_and_leaves_no_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cdr = tmp_path / "cdr"
    address = ["--register", "alice@127.0.0.1:5066;transport=udp"]
    assert main(["check", "answer", "--listen", "udp:127.0.0.1:0", *address, "--cdr", str(cdr)]) == 0
    said = "register: sip:alice@127.0.0.1:5066;transport=udp at sip:127.0.0.1:5066;transport=udp\n"
    assert said in capsys.readouterr().out
    assert not cdr.exists()


def test_version_names_what_it_stands_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    shown = capsys.readouterr().out
    assert installed("click") == importlib.metadata.version("click")
    assert installed("no-such-package") == "not installed"
    assert re.fullmatch(
        r"sipswarm (\d+\.\S+|not installed)\nPython 3\.\S+\nlibzmq \S+ \(pyzmq \S+\)\nuvloop \S+\n", shown
    )


def test_metrics_lists_every_metric_with_labels_and_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics"]) == 0
    shown = capsys.readouterr().out
    for metric in METRICS:
        assert f"{metric.name} ({metric.kind})\n    {metric.help}\n" in shown
    assert "    outcome: answered busy" in shown
    assert "    process: a slot's name" in shown
    assert "    scenario: as configured" in shown
    assert "PUBLISH OTHER\n" in shown


# ---- values


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Duration(), "5s", 5.0),
        (Duration(), "5000ms", 5.0),
        (Duration(), "1.5m", 90.0),
        (Duration(), "2h", 7200.0),
        (Duration(), "5", 5.0),
        (Duration(), 5.0, 5.0),
        (Duration(unit_needed=True), "0", 0.0),
        (Duration(unit_needed=True), "250ms", 0.25),
        (PortRange(), "20000-32766", (20000, 32766)),
        (MetricsPlace(), "9464", MetricsAddress("127.0.0.1", 9464, given=True)),
        (MetricsPlace(), "0.0.0.0:1", MetricsAddress("0.0.0.0", 1, given=True)),
        (MetricsPlace(), "[::1]:9464", MetricsAddress("::1", 9464, given=True)),
        (MetricsPlace(), "off", NO_METRICS),
        (MetricsPlace(), DEFAULT_METRICS, DEFAULT_METRICS),
        (ListenAddress(), "tcp:[::1]:5070", Listener("tcp", "::1", 5070)),
        (Condition(), "mos.p5>3", Threshold("mos.p5>3", "mos", "p5", ">", 3.0)),
        (Digits(), "12ab*#?", "12AB*#?"),
        (Digits(same="="), "=", "="),
        (Media("ivr"), "ivr", "ivr"),
        (Media(), "tone:440", "tone:440"),
        (Media(), "play:/tmp/x.wav", "play:/tmp/x.wav"),
        (Network(), "2001:db8::/32", "2001:db8::/32"),
        (Shard(), "2/3", (1, 3)),
        (Ramp(), "10:200/60s", (10.0, 200.0, 60.0)),
        (Ramp(), "0:2.5/1m", (0.0, 2.5, 60.0)),
        (SipUri(), "alice@example.org", "sip:alice@example.org"),
        (SipUri(), "sips:alice@[::1]:5061", "sips:alice@[::1]:5061"),
        (SipUri(), "", ""),
        (Header(), "X-Test:  a: b ", ("X-Test", "a: b")),
        (Codecs(), "PCMA, pcmu", ("pcma", "pcmu")),
    ],
)
def test_a_value_is_read(kind: click.ParamType[Any], text: object, value: object) -> None:
    assert kind.convert(text, None, None) == value


def test_run_options_become_the_configuration_of_a_node() -> None:
    seen: list[tuple[NodeSettings, RunOptions]] = []

    @click.command()
    @options(NodeSettings)
    @run_options(metrics=DEFAULT_METRICS)
    def verb(settings: NodeSettings, node: RunOptions) -> int:
        seen.append((settings, node))
        return 0

    verb.main([], standalone_mode=False)
    workers = ["--call-workers", "3", "--media-workers", "2", "--max-calls", "7", "--run-dir", "/tmp/x", "--quiet"]
    times = ["--rtp-timeout", "1m", "--hang-timeout", "0", "--drain", "5s", "--any-source", "--strict"]
    verb.main([*workers, *times, "--metrics", "off", "--rtp-ports", "30000-30010"], standalone_mode=False)
    (default, usual), (settings, given) = seen
    assert usual == RunOptions(metrics=DEFAULT_METRICS, drain=30.0, run_dir="", quiet=False)
    assert default.call_workers >= 1 <= default.media_workers
    assert given == RunOptions(metrics=NO_METRICS, drain=5.0, run_dir="/tmp/x", quiet=True)
    expected = NodeSettings(
        call_workers=3,
        media_workers=2,
        rtp_ports=(30000, 30010),
        rtp_timeout=60.0,
        hang_timeout=0.0,
        max_calls=7,
        strict_source=False,
        strict=True,
        codecs=("pcmu", "pcma"),
    )
    assert settings == expected
    config = NodeConfig.of(settings, [Listener("udp", "127.0.0.1", 0)], user="bob")
    assert (config.call_workers, config.strict_source, config.rtp_ports) == (3, False, (30000, 30010))
    assert (config.strict, NodeConfig.of(default, []).strict) == (True, False)
    assert (config.rtp_timeout, config.hang_timeout, config.max_calls, config.user) == (60.0, 0.0, 7, "bob")


PAGE = Path(__file__).parents[3] / "docs" / "cli.md"
OF_SIPP_TRACES: dict[str, list[str]] = {
    "-trace_stat": [],
    "-stf": ["a.csv"],
    "-fd": ["5s"],
    "-stat_delimiter": [","],
    "-trace_rtt": [],
    "-trace_err": [],
    "-error_file": ["a.log"],
    "-trace_error_codes": [],
    "-trace_msg": [],
    "-message_file": ["a.log"],
    "-trace_shortmsg": [],
    "-shortmessage_file": ["a.log"],
}
OF_SIPP_FILES = {
    "-key": ["tenant", "blue"],
    "-sn": ["uac"],
    "-set": ["tenant", "blue"],
    "-infindex": ["users.csv", "0"],
    "--allow-exec": [],
    "-aa": [],
    "-nd": [],
    "-default_behaviors": ["none"],
    "-nr": [],
    "-max_retrans": ["3"],
    "-max_invite_retrans": ["3"],
    "-max_non_invite_retrans": ["3"],
    "-T2": ["2s"],
    "-rtcheck": ["loose"],
    "-recv_timeout": ["2s"],
    "-base_cseq": ["7"],
    "-lost": ["10"],
    "-pause_msg_ign": [],
    "--sipp-strict": [],
}
DECLARED: dict[type[Any], dict[str, list[str]]] = {
    NodeSettings: {
        "--rtp-ports": ["30000-30010"],
        "--strict": [],
        "--sip-trace": ["all.pcap"],
        "--advertise": ["203.0.113.5"],
        "--from": ["sip:a@example.org"],
        "--proxy": ["192.0.2.1"],
        "--auth-user": ["bob", "--auth-password-file", "password"],
        "--auth-password-file": ["password", "--auth-user", "bob"],
        "--header": ["X-Test: 1"],
        "--codec": ["pcma"],
        "--srtp": ["optional"],
        "--tls-ca": ["ca.pem"],
        "--tls-cert": ["a.pem"],
        "--tls-key": ["a.key"],
        "--call-workers": ["256"],
        "--media-workers": ["255"],
        "--rtp-timeout": ["7s"],
        "--send-to": ["192.0.2.0/24", "--send-to", "2001:db8::/32"],
        "--any-source": [],
        "--hang-timeout": ["8s"],
        "--max-calls": ["9"],
        "--memory-limit": ["512M"],
        "--source-connections": ["9"],
        "--session-expires": ["1200s"],
        "--max-call-time": ["2h"],
    },
    LoadConfig: {
        "--rate": ["3"],
        "--arrival": ["poisson"],
        "--ramp": ["1:2/3s"],
        "--calls": ["7"],
        "--duration": ["5s"],
        "--max-concurrent": ["4"],
        "--hold": ["2s"],
        "--media": ["echo"],
        "--dtmf": ["12"],
        "--expect-dtmf": ["="],
        "--scenario": ["a.py"],
        **OF_SIPP_FILES,
        **OF_SIPP_TRACES,
        "--more-data": ["b.csv"],
        "-cid_str": ["%u@%s"],
        "-auth_uri": ["example.net"],
        "--second-scenario": ["b.xml"],
        "--run-time": ["9s"],
        "--data": ["a.csv"],
        "--method": ["options"],
        "--body": ["text"],
        "--content-type": ["text/html"],
        "--event": ["presence"],
        "--expires": ["60"],
        "--timeout": ["5s"],
        "--expect-media": [],
        "--media-share": ["0.5"],
        "--expect-audio": [],
        "--expect-mos": ["3.5"],
        "--expect-code": ["486"],
        "--ring-time": ["6s"],
        "--seed": ["2"],
        "--shard": ["2/3"],
    },
    AnswerConfig: {
        "--media": ["ivr"],
        "--ring-time": ["1s"],
        "--status": ["486"],
        "--dtmf-echo": [],
        "--hangup-after": ["3s"],
    },
    RobotConfig: {
        "--media": ["echo"],
        "--scenario": ["uas.xml"],
        "--calls": ["7"],
        **OF_SIPP_FILES,
        **OF_SIPP_TRACES,
        "--data": ["a.csv"],
        "--hold": ["2s"],
    },
    ServerConfig: {
        "--realm": ["example.org"],
        "--domain": ["example.org", "--domain", "example.net"],
        "--users": ["users.csv"],
        "--expires": ["30s:5m:2h"],
        "--file": ["bindings"],
        "--redirect": [],
        "--registrar": [],
        "--record-route": [],
        "--nat": [],
        "--relay-media": [],
        "--relay-timeout": ["2m"],
        "--auth": [],
        "--any-from": [],
        "--next-hop": ["192.0.2.1"],
        "--algorithm": ["SHA-256", "--algorithm", "MD5"],
        "--block": ["INVITE=405", "--block", "MESSAGE=403"],
        "--block-agent": ["scanner"],
        "--drop-agent": ["scanner"],
        "--drop-above": ["60"],
    },
}
"""For each record that goes to the processes, its options, each with a value other than its default."""
ARGUMENTS: dict[type[Any], str] = {LoadConfig: "target", RobotConfig: "file"}


def in_node(record: Any) -> NodeConfig:
    """A node with these settings, or with this for its application."""
    listener = (Listener("udp", "127.0.0.1", 0),)
    match record:
        case NodeSettings():
            return NodeConfig.of(record, listener)
        case LoadConfig():
            return NodeConfig.of(NodeSettings(), listener, load=record)
        case AnswerConfig():
            return NodeConfig.of(NodeSettings(), listener, answer=record)
        case ServerConfig():
            return NodeConfig.of(NodeSettings(), listener, server=record)
    return NodeConfig.of(NodeSettings(), listener, robot=record)


@pytest.mark.parametrize("kind", DECLARED, ids=lambda kind: kind.__name__)
def test_every_declared_option_comes_to_the_processes(
    kind: type[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the declaration to the record that a process reads back, each by itself: no place in between names one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o600)
    got: list[Any] = []

    def verb(record: Any) -> int:
        got.append(record)
        return 0

    given = options(kind)(verb)
    argument = ARGUMENTS.get(kind)
    command = click.command()(click.argument(argument)(given) if argument else given)
    names = {max(each.opts, key=len) for each in command.params if isinstance(each, click.Option)}
    assert names == DECLARED[kind].keys()
    own = ["sip:a@127.0.0.1"] if argument else []
    command.main(own, standalone_mode=False)
    for name, value in DECLARED[kind].items():
        command.main([*own, name, *value], standalone_mode=False)
        assert got[-1] != got[0], name
        order = ProcessOrder("call", 1, 2, in_node(got[-1]), HandedDown((3, 4), roll=5))
        for each in (order, replace(order, closing=True)):
            assert ProcessOrder.from_line(each.to_line()) == each


@pytest.mark.parametrize("verb", sorted(cli.commands))
def test_every_option_of_a_verb_stands_in_the_page_of_the_command_line(verb: str) -> None:
    named = re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", " ".join(re.findall(r"`[^`\n]+`", PAGE.read_text())))
    options = [each for each in cli.commands[verb].params if isinstance(each, click.Option)]
    assert [max(each.opts, key=len) for each in options if set(each.opts).isdisjoint(named)] == []


# ---- profiles


def test_a_profile_is_steps_and_ramps(tmp_path: Path) -> None:
    file = tmp_path / "profile"
    file.write_text("# warm up\n10/30s\n\n10:200/1m  # up\n0/500ms\n")
    assert read_profile(file) == ((10.0, 10.0, 30.0), (10.0, 200.0, 60.0), (0.0, 0.0, 0.5))


@pytest.mark.parametrize(("text", "said"), [("1/1s\nfast", ":2: 'fast' is neither a step"), ("# no", "no step")])
def test_a_bad_profile_is_an_error_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "profile"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_profile(file)


# ---- targets


@pytest.mark.parametrize(
    ("target", "user", "transport", "uri"),
    [
        ("127.0.0.1", "", "udp", "sip:127.0.0.1"),
        ("127.0.0.1:5070", "1234", "udp", "sip:1234@127.0.0.1:5070"),
        ("echo@127.0.0.1", "", "udp", "sip:echo@127.0.0.1"),
        ("sip:echo@[::1]:5070;x=1", "", "udp", "sip:echo@[::1]:5070;x=1"),
        ("SIPS:a@b.example", "", "", "SIPS:a@b.example"),
        ("sips:a@b.example", "", "tcp", "sips:a@b.example;transport=tcp"),
        ("a@127.0.0.1", "", "tcp", "sip:a@127.0.0.1;transport=tcp"),
        ("a@127.0.0.1;transport=udp", "", "tcp", "sip:a@127.0.0.1;transport=udp"),
    ],
)
def test_a_target_is_completed(target: str, user: str, transport: str, uri: str) -> None:
    assert complete(target, user, transport) == uri


@pytest.mark.parametrize(
    ("host", "quiet"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("10.1.2.3", True),
        ("172.31.255.255", True),
        ("172.32.0.0", False),
        ("192.168.0.9", True),
        ("169.254.1.1", True),
        ("[::1]", True),
        ("[fe80::1]", True),
        ("[fd00::1]", True),
        ("[::ffff:127.0.0.1]", True),
        ("[::ffff:192.0.2.1]", False),
        ("[2001:db8::1]", False),
        ("192.0.2.1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
    ],
)
def test_only_networks_that_surprise_nobody_are_called_without_more_words(host: str, quiet: bool) -> None:
    uri = f"sip:a@{host}:5070"
    if quiet:
        assert checked_hop(uri, allow_public=False, rate=1000).port == 5070
    else:
        with pytest.raises(ConfigurationError, match="--allow-public"):
            checked_hop(uri, allow_public=False, rate=1)
        assert checked_hop(uri, allow_public=True, rate=10).port == 5070


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_local_address_is_the_one_that_reaches_the_target(host: str) -> None:
    assert local_address(Hop("udp", host, 5060)) == host


def test_a_target_without_a_route_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"no route to .*give a local address with -i"):
        local_address(Hop("udp", "255.255.255.255", 5060))


# ---- what is shown


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_plain_progress_is_a_line_each_time_something_changed() -> None:
    stream = io.StringIO()
    progress = choose_progress("title", quiet=False, stream=stream)
    for live in (1, 1, 2):
        progress.show({"calls": 5, "live": live})
    progress.close()
    assert isinstance(progress, PlainProgress)
    assert stream.getvalue() == "calls 5  live 1\ncalls 5  live 2\n"


def test_progress_on_a_terminal_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    progress = choose_progress("sipswarm load x", quiet=False, stream=stream)
    progress.show({"calls": 5, "live": 1})
    progress.close()
    assert isinstance(progress, TerminalProgress)
    assert "sipswarm load x" in stream.getvalue()
    assert re.search(r"calls.*5", stream.getvalue())
    assert "\x1b[3" not in stream.getvalue()  # no colours


def test_quiet_shows_nothing() -> None:
    stream = Terminal()
    progress = choose_progress("title", quiet=True, stream=stream)
    progress.show({"calls": 5})
    progress.close()
    assert isinstance(progress, NoProgress)
    assert not stream.getvalue()


def judged(thresholds: Sequence[str] = ()) -> tuple[Report, Ending]:
    figures = (ProcessFigures("call-0", 1.25, 41_000_000, 2),)
    ending = Ending("2026-01-01T00:00:00+00:00", 5.0, 2, 0, 0, processes=figures)
    return Report(LoadConfig("sip:127.0.0.1"), thresholds=[Threshold.parse(each) for each in thresholds]), ending


def test_the_result_names_every_figure_the_verdict_and_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, ending = judged(["answered>=0.9"])
    results = Results(tmp_path)
    results.close_calls()
    say_result(report.judge(ending), results, more=("and more",))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("calls: planned 2, attempted 0, answered 0, completed 0, failed 2, dropped 0")
    assert "outcomes: none" in lines
    assert "digits: sent 0, received 0, missed 0, wrong 0" in lines
    assert "process call-0: 1.2 s of CPU, 41 MB, 2 restarts" in lines
    assert "threshold answered>=0.9: none FAILED" in lines
    assert lines[-6:] == [
        "and more",
        "FAILED (nothing_sent, exit code 97)",
        "  no call was started",
        f"summary: {tmp_path / 'summary.json'}",
        f"calls: {tmp_path / 'calls.csv'}",
        f"report: {tmp_path / 'report.html'}",
    ]


def test_delays_are_shown_in_milliseconds() -> None:
    report, ending = judged()
    summary = report.judge(ending).summary
    summary["delays"]["answer"] = {"count": 2, "p50": 0.0015, "p95": 0.002, "p99": 0.0021, "max": 0.1}
    summary["generator"] |= {"healthy": False, "loop_lag_p99": 0.05}
    lines = list(result_lines(summary))
    assert "answer delay in ms: p50 1.5, p95 2.0, p99 2.1, max 100.0" in lines
    assert not any(line.startswith("post dial") for line in lines)
    assert any("NOT healthy" in line and "loop lag 50.0 ms" in line for line in lines)


# ---- signals


def signalled(*numbers: signal.Signals, start: bool = True) -> tuple[int, Signals, list[float]]:
    """Run a body that gets these signals one after the other; its exit code, what they did and what was drained."""
    drained: list[float] = []
    seen: list[Signals] = []

    async def body(signals: Signals) -> int:
        seen.append(signals)
        if start:
            signals.started()
        for number in numbers:
            os.kill(os.getpid(), number)
            for _ in range(1000):  # the loop reads signals from a pipe of its own
                await asyncio.sleep(0)
        return 0

    code = run(body, drain=drained.append, within=30.0, cancelled=105)
    return code, seen[0], drained


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains_and_the_second_hangs_up(number: signal.Signals) -> None:
    code, signals, drained = signalled(number, signal.SIGTERM)
    assert (code, drained) == (0, [30.0, 0.0])
    assert signals.interrupted
    assert not signals.ended_early


def test_sigusr1_ends_the_plan_early_without_an_interruption() -> None:
    _, signals, drained = signalled(signal.SIGUSR1)
    assert drained == [30.0]
    assert signals.ended_early
    assert not signals.interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_before_anything_started_ends_the_start_and_says_so(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, drained = signalled(number, start=False)
    assert (code, drained) == (105, [])
    assert capsys.readouterr().err == (
        f"sipswarm: {number.name} came while the processes were starting: nothing was sent, and there are no results\n"
    )


def test_the_third_signal_exits_at_once() -> None:
    child = os.fork()
    if not child:
        signals = Signals(lambda within: None, 30.0, lambda: None)
        signals.started()
        for _ in range(3):
            signals.stop()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
