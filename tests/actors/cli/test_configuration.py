"""Where the value of an option comes from, what --print-config shows, and keys on a terminal."""

import asyncio
import os
import pty
import re
from pathlib import Path

import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.cli.keys import HELP, Keyboard, Keys

LOAD = ["load", "127.0.0.1", "-m", "5", "--print-config"]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration file or variable of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith("SIPSWARM_")]:
        monkeypatch.delenv(name)


def values(text: str) -> dict[str, tuple[str, str]]:
    """Option -> (value, source)."""
    return {name: (value, source) for name, value, source in re.findall(r"^(\S+) = (.*)  \((.*)\)$", text, re.M)}


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    assert main(arguments) == 0, capsys.readouterr().err
    return values(capsys.readouterr().out)


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sipswarm.toml").write_text(
        'drain = "3s"\nmedia = "echo"\nrate = 3\n[load]\nrate = 4\nhold = "2s"\nexpect-media = true\n'
        'threshold = ["answered>=0.9", "mos.p5>3"]\n[answer]\nstatus = 486\n'
    )
    monkeypatch.setenv("SIPSWARM_MEDIA", "silence")
    monkeypatch.setenv("SIPSWARM_HOLD", "7s")
    shown = printed([*LOAD, "-d", "9s"], capsys)
    assert shown["hold"] == ("9", "flag")
    assert shown["media"] == ("silence", "environment SIPSWARM_MEDIA")
    assert shown["rate"] == ("4", "file sipswarm.toml")
    assert shown["drain"] == ("3", "file sipswarm.toml")
    assert shown["expect-media"] == ("true", "file sipswarm.toml")
    assert shown["threshold"] == ("answered>=0.9 mos.p5>3", "file sipswarm.toml")
    assert shown["calls"] == ("5", "flag")
    assert shown["arrival"] == ("fixed", "default")
    assert shown["local-ip"] == ("none", "default")
    shown = printed(["answer", "--print-config"], capsys)
    assert shown["status"] == ("486", "file sipswarm.toml")
    assert "rate" not in shown


@pytest.mark.parametrize("by_flag", [True, False])
def test_another_file_is_named_by_flag_or_variable(
    tmp_path: Path, by_flag: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "other.toml"
    file.write_text("rate = 12\n")
    if not by_flag:
        monkeypatch.setenv("SIPSWARM_CONFIG", str(file))
    shown = printed([*LOAD, *(["--config", str(file)] if by_flag else [])], capsys)
    assert shown["rate"] == ("12", f"file {file}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rat = 3\n", "no verb has an option 'rat'; write the long option without --"),
        ("[lod]\nrate = 3\n", "there is no verb 'lod'; tables are"),
        ("[load]\nstatus = 3\n", "load has no option 'status'; see sipswarm load --help"),
        ("rate = \n", "Invalid value"),
        ("hold = 5\n", "'5' has no unit"),
        ("rate = 'fast'\n", "'fast' is not a valid float"),
    ],
)
def test_a_bad_file_is_one_line_and_2(tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sipswarm.toml").write_text(text)
    assert main(LOAD) == 2
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert said in shown.err
    assert not shown.out


def test_a_file_that_is_named_and_not_there_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LOAD, "--config", "/nowhere.toml"]) == 2
    assert "/nowhere.toml: No such file" in capsys.readouterr().err


def test_headers_come_from_a_variable_line_by_line_and_from_a_file_as_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sipswarm.toml").write_text('header = ["X-File: a b"]\ncodec = "pcma"\n')
    assert printed(LOAD, capsys)["header"] == ("X-File a b", "file sipswarm.toml")
    monkeypatch.setenv("SIPSWARM_HEADER", "X-One: a b\nX-Two: c")
    shown = printed(LOAD, capsys)
    assert shown["header"] == ("X-One a b X-Two c", "environment SIPSWARM_HEADER")
    assert shown["codec"] == ("pcma", "file sipswarm.toml")


def test_a_bad_variable_is_an_error_of_its_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIPSWARM_RATE", "fast")
    assert main(LOAD) == 2
    assert "'fast' is not a valid float" in capsys.readouterr().err


def test_only_a_file_may_give_a_public_target_a_higher_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    public = ["check", "load", "192.0.2.1", "-m", "5", "--allow-public", "-i", "127.0.0.1"]
    assert main([*public, "-r", "50"]) == 2
    assert "is public, which allows 10 calls per second" in capsys.readouterr().err
    (tmp_path / "sipswarm.toml").write_text("[load]\nrate = 50\n")
    assert main(public) == 0
    assert "at most 50 calls/s" in capsys.readouterr().out


# ---- keys


def pressed(text: str, rate: float = 10.0) -> tuple[list[float | str], list[str]]:
    """What the keys did, and what was said."""
    done: list[float | str] = []
    said: list[str] = []
    keys = Keys(
        rate,
        set_rate=done.append,
        drain=lambda: done.append("drain"),
        stop=lambda: done.append("stop"),
        say=said.append,
    )
    for each in text:
        keys.press(each)
    return done, said


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("+", [11.0]),
        ("-", [9.0]),
        ("*", [20.0]),
        ("++*/-", [11.0, 12.0, 22.0, 12.0, 11.0]),
        ("//-*", [0.0, 0.0, 0.0, 10.0]),
        ("-/+", [9.0, 0.0, 1.0]),
        ("pp", [0.0, 10.0]),
        ("p+p", [0.0, 11.0]),
        ("q", ["drain"]),
        ("Q", ["stop"]),
        ("x?", []),
    ],
)
def test_keys_do_what_sipps_do(text: str, done: list[float | str]) -> None:
    assert pressed(text)[0] == done


def test_keys_answer_in_words() -> None:
    assert pressed("?")[1] == [HELP]
    assert pressed("p+pqQ")[1] == [
        "paused; p goes on",
        "rate 11 calls/s once p goes on",
        "going on with 11 calls/s",
        "no new calls; waiting for live ones",
        "stopping",
    ]


def test_what_is_no_terminal_of_ours_is_left_alone() -> None:
    async def opened(descriptor: int) -> bool:
        keyboard = Keyboard(lambda key: None, descriptor)
        try:
            return keyboard.open()
        finally:
            keyboard.close()

    reading, writing = os.pipe()
    assert not asyncio.run(opened(reading))
    os.close(reading)
    os.close(writing)


def test_keys_are_read_from_a_terminal_one_by_one() -> None:
    """A child with a terminal of its own, because the tests' one is not ours to read."""
    pid, terminal = pty.fork()
    if pid == 0:
        os._exit(asyncio.run(_read_keys()))
    try:
        assert os.read(terminal, 1) == b"r"
        os.write(terminal, b"+q")
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0


async def _read_keys() -> int:
    keys: list[str] = []
    both = asyncio.Event()

    def press(key: str) -> None:
        keys.append(key)
        if len(keys) == 2:
            both.set()

    keyboard = Keyboard(press, 0)
    if not keyboard.open():
        return 1
    os.write(1, b"r")
    async with asyncio.timeout(10):
        await both.wait()
    keyboard.close()
    return 0 if keys == ["+", "q"] else 2


def test_a_ramp_of_the_command_line_overrules_a_rate_of_the_file_and_not_the_other_way_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sipswarm.toml").write_text("[load]\nrate = 5\n")
    assert main(["check", "load", "127.0.0.1", "-m", "9", "--ramp", "1:2/60s"]) == 0
    (tmp_path / "sipswarm.toml").write_text('[load]\nramp = ["1:2/60s"]\n')
    capsys.readouterr()
    assert main(["check", "load", "127.0.0.1", "-m", "9", "-r", "5"]) == 2
    assert "--ramp is instead of -r, which would have no effect" in capsys.readouterr().err
    (tmp_path / "sipswarm.toml").write_text('[load]\nrate = 5\nramp = ["1:2/60s"]\n')
    assert main(["check", "load", "127.0.0.1", "-m", "9"]) == 2
    assert "--ramp is instead of -r, which would have no effect" in capsys.readouterr().err
