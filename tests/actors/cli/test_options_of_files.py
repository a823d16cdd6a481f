"""Every option of `load` and `robot` beside a scenario file of SIPp: carried out, or an error by its name."""

from pathlib import Path

import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.cli.app import cli
from sipswarm.actors.cli.configuration import names_of
from sipswarm.actors.cli.loads.without_effect import OF_FILES, OF_LOADS, OF_ROBOTS

COMMAND = {
    "load": ["load", "127.0.0.1:9", "-m", "1", "-sn", "uac"],
    "robot": ["robot", "--listen", "udp:127.0.0.1:0", "-sn", "uas"],
}
VALUES = {
    "header": "X-A: 1",
    "from": "sip:joe@127.0.0.1",
    "codec": "pcma",
    "srtp": "optional",
    "rtp-timeout": "9s",
    "session-expires": "90s",
    "dtmf": "1",
    "expect-dtmf": "1",
    "expect-code": "486",
    "method": "options",
    "ring-time": "2s",
    "max-call-time": "9s",
    "proxy": "sip:127.0.0.1",
}
OF_METHODS = {"body": "x", "content-type": "text/plain", "event": "dialog", "expires": "9", "timeout": "9s"}
"""They belong to a method, which a file has none of."""
CARRIED_OUT = {
    # the file and its rows
    *("scenario", "data", "key", "sn", "set", "infindex", "allow-exec", "aa", "nd", "default_behaviors", "nr"),
    *("max_retrans", "max_invite_retrans", "max_non_invite_retrans", "T2", "rtcheck", "recv_timeout", "base_cseq"),
    *("lost", "pause_msg_ign", "sipp-strict", "hold", "calls"),
    # the files of SIPp
    *("trace_stat", "stf", "fd", "stat_delimiter", "trace_rtt", "trace_err", "error_file", "trace_error_codes"),
    *("trace_msg", "message_file", "trace_shortmsg", "shortmessage_file"),
    # the node
    *("call-workers", "media-workers", "rtp-ports", "strict", "sip-trace", "advertise", "send-to", "any-source"),
    *("auth-user", "auth-password-file", "tls-ca", "tls-cert", "tls-key", "hang-timeout", "memory-limit"),
    *("source-connections", "max-calls", "user", "media", "transport", "local-ip", "local-port"),
    # the run
    *("cdr", "metrics", "run-dir", "drain", "quiet", "log-format"),
}
OF_LOADS_ONLY = {
    *("rate", "arrival", "ramp", "profile", "duration", "max-concurrent", "run-time", "shard", "out"),
    *("more-data", "cid_str", "auth_uri", "second-scenario"),
    *("expect-media", "media-share", "expect-audio", "expect-mos", "threshold", "fail-on-error", "stop-file"),
    *("allow-public", "proxy", "seed"),
}
OF_ROBOTS_ONLY = {"listen", "allow", "max-call-time"}


def refused(verb: str) -> dict[str, str]:
    return {**OF_FILES, **(OF_LOADS if verb == "load" else OF_ROBOTS)}


@pytest.mark.parametrize("verb", ["load", "robot"])
def test_each_option_is_carried_out_or_refused(verb: str) -> None:
    more = {*OF_LOADS_ONLY, *OF_METHODS} if verb == "load" else OF_ROBOTS_ONLY
    carried_out = CARRIED_OUT | more
    assert not carried_out & refused(verb).keys()
    assert set(names_of(cli.commands[verb])) == carried_out | refused(verb).keys()


@pytest.mark.parametrize("verb", ["load", "robot"])
@pytest.mark.parametrize("checks", [[], ["check"]])
def test_an_option_without_effect_is_an_error_with_its_name(
    verb: str, checks: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for name, instead in refused(verb).items():
        assert main([*checks, *COMMAND[verb], f"--{name}", VALUES[name]]) == 2
        assert f"--{name} is not for a scenario file of SIPp: {instead}" in capsys.readouterr().err


def test_an_option_of_requests_needs_its_method(capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in OF_METHODS.items():
        assert main([*COMMAND["load"], f"--{name}", value]) == 2
        assert f"--{name} is for --method" in capsys.readouterr().err


def test_the_command_line_may_name_a_file_beside_a_configuration_of_other_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sipswarm.toml").write_text('from = "sip:joe@127.0.0.1"\nring-time = "2s"\n')
    assert main(["check", *COMMAND["load"]]) == 0, capsys.readouterr().err
    (tmp_path / "sipswarm.toml").write_text('[load]\nfrom = "sip:joe@127.0.0.1"\nsn = "uac"\n')
    assert main(["check", "load", "127.0.0.1:9"]) == 2
    assert "--from is not for a scenario file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--expect-mos", "3"], "--expect-mos needs media, and the file plays and echoes none"),
        (["--media", "play:none.wav"], "none.wav"),
        (["-infindex", "none.csv", "0"], "-infindex none.csv: there is no such injection file"),
        (["-i", "::1"], "-i ::1 does not reach 127.0.0.1"),
        (["-l", "1", "--shard", "1/2"], "-l 1 over 2 shards leaves some of them without a call"),
    ],
)
def test_the_check_of_a_load_says_what_the_load_says(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["check", *COMMAND["load"]], COMMAND["load"]):
        assert main([*command, *arguments]) == 2
        assert said in capsys.readouterr().err


def test_the_check_of_a_file_needs_no_plan_and_looks_at_the_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "load", "127.0.0.1", "-sn", "uac"]) == 0
    assert main(["check", "load", "192.0.2.1", "-sn", "uac"]) == 2
    assert "--allow-public" in capsys.readouterr().err
