"""The options of `sipswarm probe` and its file of modules: values, and every error in one line with its place."""

import re
import shlex
from pathlib import Path

import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.cli.probe.modules import read_modules
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.probe.module import Module, ProbeChecks

DOCS = Path(__file__).parents[3] / "docs"
DEPLOYED = Path(__file__).parents[3] / "deploy" / "prometheus" / "probe.toml"
CALL = ["probe", "127.0.0.1", "--call"]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration file of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)


def written(folder: Path, text: str) -> Path:
    file = folder / "probe.toml"
    file.write_text(text)
    return file


def test_a_module_has_the_options_of_the_command_line(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    modules = read_modules(
        written(
            tmp_path,
            f"""
            [modules.plain]
            [modules."a b"]
            call = true
            timeout = "5s"
            hold = "2s"
            media = "tone:440"
            expect-media = true
            dtmf = "12a"
            expect_dtmf = "="
            expect-code = 200
            transport = "tcp"
            user = "ivr"
            auth-user = "alice"
            auth-password-file = "{password}"
            header = ["X-One: 1", "X-Two: 2"]
            codec = "pcma"
            allow-public = true
            local-port = 5099
            [modules.codes]
            expect-code = [200, 486]
            """,
        )
    )
    assert list(modules) == ["plain", "a b", "codes"]
    assert modules["plain"].checks == ProbeChecks()
    assert (modules["plain"].transport, modules["plain"].allow_public) == ("", False)
    module = modules["a b"]
    assert module.checks == ProbeChecks(
        call=True,
        timeout=5.0,
        hold=2.0,
        media="tone:440",
        expect_media=True,
        dtmf="12A",
        expect_dtmf="=",
        expect_code=(200,),
    )
    assert (module.transport, module.user, module.allow_public, module.local_port) == ("tcp", "ivr", True, 5099)
    account = module.settings.account
    assert (account.user, account.password) == ("alice", "secret")
    assert account.headers == (("X-One", "1"), ("X-Two", "2"))
    assert module.settings.codecs == ("pcma",)
    assert modules["codes"].checks.expect_code == (200, 486)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no module; write a table [modules.NAME]"),
        ("modules = 3", "there is no module"),
        ("[module.a]", "'module' is not known; write a table [modules.NAME] for each module"),
        ("[modules]\na = 3", "module 'a' is no table; write [modules.a]"),
        ("[modules.a]\ntimeouts = '5s'", "module 'a' has no option 'timeouts'; see sipswarm probe --help"),
        ("[modules.a]\nserve = '9115'", "module 'a' has no option 'serve'"),
        ("[modules.a]\nsip-trace = 'x'", "module 'a' has no option 'sip-trace'"),
        ("[modules.a]\ntimeout = 'long'", "module 'a': Invalid value for '--timeout': 'long' is not a time"),
        ("[modules.a]\ntimeout = 0", "module 'a': --timeout 0s is not above 0 and at most 120s"),
        ("[modules.a]\ntimeout = '3m'", "module 'a': --timeout 180s is not above 0 and at most 120s"),
        ("[modules.a]\ndtmf = '12'", "module 'a': --dtmf is about a call; add --call"),
        ("[modules.a]\nexpect-code = [99]", "module 'a': Invalid value for '--expect-code'"),
        ("[modules.a]\ncall = true\nhold = 5", "module 'a': Invalid value for '-d' / '--hold': '5' has no unit"),
        ("[modules.a]\ncall = true\nmedia = 'play:no.wav'", "module 'a': "),
        ("[modules.a]\nauth-user = 'a'", "module 'a': --auth-user and --auth-password-file belong together"),
        ("[modules.a]\nauth-password-file = 'no'", "module 'a': Invalid value for '--auth-password-file'"),
        ("[modules.a\n", "Expected ']' at the end of a table declaration"),
    ],
)
def test_a_fault_of_the_file_is_one_line_with_file_module_and_fix(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        read_modules(file)
    assert main(["check", "probe", "--modules", str(file)]) == 2
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert f"{file}: " in shown.err
    assert not shown.out


def test_the_modules_of_a_file_and_of_the_command_line_are_shown_by_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, "[modules.ivr]\ncall = true\ntimeout = '8s'\n[modules.home]\nregister = true")
    assert main(["check", "probe", "--serve", "--modules", str(file), "--timeout", "3s"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "module default: OPTIONS, at most 3 s",
        "module ivr: calls, at most 8 s",
        "module home: registrations, at most 10 s",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["probe"], "name a TARGET, or say --serve"),
        (["probe", "127.0.0.1", "--modules", "probe.toml"], "--modules belongs to --serve"),
        (["probe", "127.0.0.1", "--serve", "127.0.0.1:0"], "with --serve each request names its target"),
        (["probe", "--serve", "127.0.0.1:0", "--sip-trace", "x.pcap"], "--sip-trace is a file of one probe"),
        (["probe", "--serve", "nowhere"], "'nowhere' is not [ADDR:]PORT"),
        (["probe", "192.0.2.1"], "if you may call it, say --allow-public"),
        (["probe", "sip:"], "target 'sip:'"),
        (["probe", "127.0.0.1", "-i", "::1"], "-i ::1 does not reach 127.0.0.1"),
        (["probe", "127.0.0.1", "--timeout", "0"], "--timeout 0s is not above 0 and at most 120s"),
        (["probe", "127.0.0.1", "--expect-media"], "--expect-media is about a call; add --call"),
        (["probe", "127.0.0.1", "--register", "--dtmf", "1"], "--dtmf is about a call; add --call"),
        ([*CALL, "--register"], "--call and --register are two probes; give one of them"),
        (["probe", "127.0.0.1:9", "--register"], "nobody is named who is to be registered; write sip:USER@REGISTRAR"),
        (
            ["probe", "a@127.0.0.1:9", "--register", "--from", "sip:b@127.0.0.1"],
            "the target names the user 'a', and --from 'sip:b@127.0.0.1'; give one of them",
        ),
        ([*CALL, "--dtmf", "1?"], "--dtmf ? is a random digit of a load; write the digits"),
        ([*CALL, "--expect-dtmf", "="], "--expect-dtmf = means the digits of --dtmf, and there are none"),
        ([*CALL, "-d", "9s", "--timeout", "9s"], "raise --timeout"),
        ([*CALL, "--expect-media", "--media", "none"], "media is expected of a call that has none"),
        ([*CALL, "--expect-audio", "-d", "0"], "media is expected of a call that has none"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("probe.toml").write_text("[modules.a]\n")
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1, shown.err
    assert not shown.out


def test_the_modules_of_the_page_and_of_deploy_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "probing.md").read_text()
    (text,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    password = tmp_path / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    named = text.replace("/etc/sipswarm/probe-password", str(password))
    assert named != text
    modules = read_modules(written(tmp_path, named))
    assert list(modules) == ["options", "options_tls", "ivr", "registrar"]
    assert modules["registrar"].checks.register
    assert modules["ivr"].checks.call
    assert modules["options_tls"].checks.expect_code == (200, 405)
    assert all(isinstance(each, Module) for each in read_modules(DEPLOYED).values())
    commands = re.findall(r"^sipswarm (probe .*)$", page, re.MULTILINE)
    assert len(commands) == 5
    (tmp_path / "probe.password").hardlink_to(password)
    for command in commands:
        assert main(["check", *shlex.split(command)]) == 0, capsys.readouterr().err
