"""What is wrong with an input is one line with what, where and the fix, exit code 2, and nothing is begun."""

import io
import itertools
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.cli.app import cli
from sipswarm.actors.cli.password import read_password
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.scripts import user_file

LOAD = ["load", "127.0.0.1"]
OPTIONS = [*LOAD, "-m", "1", "--method", "options"]
SUBSCRIBE = [*LOAD, "-m", "1", "--method", "subscribe"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["load"], "Missing argument 'TARGET'"),
        ([*LOAD, "-m", "1", "-d", "5"], "'5' has no unit: SIPp's -d means milliseconds.*write 5s or 5ms"),
        ([*LOAD, "-m", "1", "-d", "x"], "'x' is not a time; write for example 5s"),
        (["check", *LOAD], r"^sipswarm check load: there is no end .*\(see sipswarm check load --help\)$"),
        (
            ["check", "answer", "--foo"],
            r"^sipswarm check answer: No such option '--foo'.*\(see sipswarm check answer --help",
        ),
        (["check", "robot"], r"^sipswarm check robot: Missing argument 'FILE'"),
        (LOAD, "there is no end to this load; say -m CALLS or --duration TIME"),
        ([*LOAD, "-m", "0"], "0 is not in the range"),
        ([*LOAD, "-m", "1", "-r", "0"], "is not in the range"),
        ([*LOAD, "-m", "1", "-r", "nan"], "'nan' is no number"),
        ([*LOAD, "-m", "1", "--media", "silence", "--expect-mos", "nan"], "'nan' is no number"),
        ([*LOAD, "-m", "1", "--media", "silence", "--media-share", "nan"], "'nan' is no number"),
        ([*LOAD, "-m", "1", "--threshold", "answered>=90"], "answered is a share from 0 to 1; write 0.9?"),
        ([*LOAD, "-m", "1", "--expect-media"], "media and digits need media"),
        ([*LOAD, "-m", "1", "--dtmf", "12"], "media and digits need media"),
        ([*LOAD, "-m", "1", "--media", "silence", "--expect-dtmf", "="], "say --dtmf DIGITS too"),
        ([*LOAD, "-m", "1", "--media", "ivr"], "'ivr' is not one of echo, silence"),
        ([*LOAD, "-m", "1", "--dtmf", "12x"], "are not at most 64 of the digits"),
        ([*LOAD, "-m", "1", "--expect-dtmf", "??"], "cannot be random; write ="),
        ([*LOAD, "-m", "1", "--stop-file", __file__], f"{__file__} is there already and would end the run at once; re"),
        (["check", *LOAD, "-m", "1", "--stop-file", __file__], "is there already"),
        ([*LOAD, "-m", "1", "--stop-file", "/nowhere/stop"], "/nowhere/stop: its folder is not there; make it"),
        ([*LOAD, "-m", "1", "--threshold", "pdd<1"], "there is no pdd"),
        ([*LOAD, "-m", "1", "--shard", "3/2"], "is not a share"),
        ([*LOAD, "-m", "1", "--method", "ping"], "'ping' is not one of 'invite', 'options', 'message'"),
        ([*OPTIONS, "-d", "5s"], "--hold is for --method invite or register or subscribe; say so, or drop it"),
        ([*OPTIONS, "--media", "silence"], "--media is for calls; drop it, or drop --method options"),
        ([*OPTIONS, "--dtmf", "12"], "--dtmf is for calls; drop it, or drop --method options"),
        ([*OPTIONS, "--expect-media"], "--expect-media is for calls; drop it, or drop --method options"),
        ([*OPTIONS, "--expect-dtmf", "="], "--expect-dtmf is for calls"),
        ([*OPTIONS, "--media-share", "0.5"], "--media-share is for calls"),
        ([*OPTIONS, "--run-time", "5s"], "--run-time is for calls"),
        ([*OPTIONS, "--expect-code", "486", "--expect-audio"], "--expect-audio is for calls"),
        ([*SUBSCRIBE, "--expect-mos", "4"], "--expect-mos is for calls; drop it, or drop --method subscribe"),
        ([*OPTIONS, "--ring-time", "5s"], "--ring-time is for calls; drop it, or drop --method options"),
        ([*OPTIONS, "--body", "x"], "--body is for --method message; say so, or drop it"),
        ([*OPTIONS, "--expires", "60"], "--expires is for --method register or subscribe"),
        ([*OPTIONS, "--threshold", "mos.p5>3"], "threshold 'mos.p5>3': mos is not counted with --method options"),
        ([*OPTIONS, "--threshold", "duration.p5>3"], "duration is not counted with --method options"),
        ([*LOAD, "-m", "1", "--timeout", "5s"], "--timeout is for --method options or message; say so, or drop it"),
        ([*LOAD, "-m", "1", "--method", "message"], "a MESSAGE without a text says nothing; say --body TEXT"),
        ([*LOAD, "-m", "1", "--method", "message", "--body", "x", "--content-type", "y"], "'y' is no media type"),
        ([*LOAD, "-m", "1", "--method", "register"], "nobody is named who is to be registered; write sip:USER@REGIS"),
        (
            [*LOAD, "-m", "1", "--method", "register", "-s", "bob", "--from", "sip:al@b"],
            "names the user 'bob', and --f",
        ),
        (
            [*LOAD, "-m", "1", "--method", "register", "-s", "bob", "--expires", "0"],
            "--expires 0 would register nobody",
        ),
        ([*LOAD, "-m", "1", "--method", "subscribe"], "needs an event package; say for example --event message-summ"),
        ([*SUBSCRIBE, "--event", "a b"], "'a b' is no event package; write for example message-summary"),
        ([*SUBSCRIBE, "--event", "x", "--expires", "0", "-d", "5s"], "fetches a state once, which cannot be held"),
        ([*LOAD, "-m", "9", "--shard", "1/3", "-l", "2"], "-l 2 over 3 shards leaves some of them without a call"),
        ([*LOAD, "-m", "1", "--ramp", "10:200"], "'10:200' is not a ramp; write for example 10:200/60s"),
        ([*LOAD, "-m", "1", "--ramp", "10:200/60"], "'60' has no unit"),
        ([*LOAD, "-m", "1", "--ramp", "0:0/60s"], "is not a ramp"),
        ([*LOAD, "--ramp", "1:2/60s"], "there is no end to this load"),
        ([*LOAD, "-m", "9", "-r", "10", "--ramp", "1:2/60s"], "--ramp is instead of -r, which would have no effect"),
        ([*LOAD, "-m", "9", "-r", "10", "--profile", __file__], "--profile is instead of -r, which would have no ef"),
        ([*LOAD, "-m", "9", "--ramp", "1:2/60s", "--profile", __file__], "--ramp and --profile say the same"),
        (["answer", "--status", "486", "--media", "echo"], "--media is for calls that are answered, and --status 486"),
        (["answer", "--status", "486", "--dtmf-echo"], "--dtmf-echo is for calls that are answered"),
        (["answer", "--status", "302", "--hangup-after", "5s"], "--hangup-after is for calls that are answered"),
        (["probe", "--serve", "--json"], "--json prints the result of one probe, and --serve prints none; drop"),
        ([*LOAD, "-m", "50", "--ramp", "10:0/1s"], "-m 50 is more than the 5 calls that the given rates come to"),
        ([*LOAD, "-m", "50", "--ramp", "10:0/1s", "--arrival", "poisson"], "-m 50 is more than the 5 calls"),
        ([*LOAD, "--profile", "/dev/zero"], "/dev/zero: it has more than 4 MiB; give a text file of steps"),
        ([*LOAD, "-m", "1", "--scenario", "/dev/zero"], "/dev/zero: it has more than 4 MiB; give a Python file"),
        ([*LOAD, "-m", "1", "--config", "/dev/zero"], "/dev/zero: it has more than 4 MiB; give a TOML file"),
        ([*LOAD, "-m", "1", "--auth-user", "a", "--auth-password-file", "/dev/zero"], "its first line is no password"),
        ([*LOAD, "-m", "9" * 21, "--duration", "1s"], "is not in the range 1<=x<=1000000000000"),
        ([*LOAD, "-m", "1", "-l", "9" * 21], "is not in the range 1<=x<=10000000"),
        ([*LOAD, "-m", "1", "--max-calls", "9" * 21], "is not in the range 1<=x<=1000000000000"),
        (["robot", "/dev/zero"], "/dev/zero: it has more than 4 MiB; give a Python file"),
        ([*LOAD, "--profile", "/nowhere"], "'/nowhere' does not exist"),
        ([*LOAD, "-m", "1", "-i", "localhost"], "'localhost' is not an IP address"),
        (
            [*LOAD, "-m", "1", "-d", "5s", "--max-call-time", "2s"],
            "--max-call-time 2s would end each call before its hold",
        ),
        (["load", "192.0.2.1", "-m", "1"], "outside of loopback.*say --allow-public"),
        (["load", "192.0.2.1", "-m", "1", "-r", "11", "--allow-public"], "is public, which allows 10 calls per second"),
        (["load", "127.0.0.1:99999", "-m", "1"], "target '127.0.0.1:99999'.*write for example sip:user@"),
        (["load", "sip:a@127.0.0.1", "-s", "b", "-m", "1"], "names the user 'a' already; drop -s b"),
        (
            ["load", "sips:127.0.0.1", "-t", "udp", "-m", "1"],
            "'sips:127.0.0.1' needs TLS, which -t udp rules out; drop",
        ),
        (["call", "sips:127.0.0.1", "-t", "udp"], "'sips:127.0.0.1' needs TLS, which -t udp rules out; drop"),
        (["load", "sips:127.0.0.1;transport=udp", "-m", "1"], "sips is never sent over udp; drop transport=udp"),
        ([*LOAD, "-t", "tls", "-m", "1", "-p", "5061"], "a tls listener needs a certificate; say --tls-cert"),
        ([*LOAD, "-t", "tls", "-m", "1", "--tls-ca", "/nowhere"], "/nowhere cannot be used: No such file"),
        ([*LOAD, "-m", "1", "--hang-timeout", "1ms"], "'1ms' is too short: .*; give 2s or more, or 0 for never"),
        (["answer", "--hang-timeout", "1.9s"], "'1.9s' is too short: .*; give 2s or more, or 0 for never"),
        (["demo", "--hang-timeout", "0.5"], "'0.5' is too short: .*; give 2s or more, or 0 for never"),
        (["robot", "/dev/null", "--rtp-timeout", "20ms"], "'20ms' is too short: .*; give 1s or more, or 0 for never"),
        ([*LOAD, "-m", "1", "--rtp-timeout", "0.9s"], "'0.9s' is too short: .*; give 1s or more, or 0 for never"),
        ([*LOAD, "-m", "1", "--rtp-ports", "20001-30000"], "is not a range of even ports"),
        ([*LOAD, "-m", "1", "--rtp-ports", "20000"], "is not a range of even ports"),
        ([*LOAD, "-m", "1", "--metrics", "localhost:1"], "is not .ADDR:.PORT"),
        ([*LOAD, "-m", "1", "--metrics", "127.0.0.1"], "is not .ADDR:.PORT"),
        ([*LOAD, "-m", "1", "--out", "/dev/null/x"], "--out /dev/null/x: .*give a folder"),
        (["answer", "--listen", "udp:localhost:5070"], "'localhost' is not an IP address; write for example udp:"),
        (["answer", "--listen", "udp:127.0.0.1:0", "-p", "5070"], "give only --listen"),
        (["answer", "--media", "play:"], "is not one of"),
        (["answer", "--media", "tone:5000"], "a tone of 5000 Hz does not fit PCMU, which carries tones below 4000 Hz"),
        (["answer", "--media", "tone:5000", "--codec", "g722,pcmu"], "does not fit PCMU"),
        (["check", "answer", "--media", "tone:4000"], "does not fit PCMU"),
        (["check", *LOAD, "-m", "1", "--media", "tone:5000"], "does not fit PCMU"),
        (
            [*LOAD, "-m", "1", "--media", "tone:8000", "--codec", "g722"],
            "does not fit G722, which carries tones below 8000",
        ),
        (["answer", "--status", "204"], "a call is answered with 200"),
        (["answer", "--allow", "10.0.0.0/33"], "is not a network"),
        (["demo", "--calls", "x"], "'x' is not a valid integer"),
        ([*LOAD, "-m", "1", "--from", "a@"], "'a@': .*; write for example sip:user@192.0.2.1:5060"),
        ([*LOAD, "-m", "1", "--proxy", "127.0.0.1:99999"], "write for example sip:user@192.0.2.1:5060"),
        ([*LOAD, "-m", "1", "--proxy", "192.0.2.1"], "'sip:192.0.2.1' is 192.0.2.1, outside of loopback"),
        ([*LOAD, "-m", "1", "--header", "X-Test"], "is not a header on one line; write for example 'X-Test: 1'"),
        ([*LOAD, "-m", "1", "--header", "X-Test: 1\r\nVia: x"], "is not a header on one line"),
        ([*LOAD, "-m", "1", "--header", "m: <sip:x@y>"], "m is a header that every call writes itself"),
        ([*LOAD, "-m", "1", "--codec", "pcma,speex"], "'speex' is not known; there are pcmu, pcma"),
        ([*LOAD, "-m", "1", "--codec", "pcma,PCMA"], "one is named twice"),
        ([*LOAD, "-m", "1", "--auth-user", "alice"], "belong together; give both"),
        ([*LOAD, "-m", "1", "--auth-user", "a", "--auth-password-file", "/nowhere"], "'/nowhere' does not exist"),
        ([*LOAD, "-m", "1", "--cdr", "/dev/null/x"], "--cdr /dev/null/x: Not a directory; give a file in a folder"),
        (["check", *LOAD, "-m", "1", "--cdr", "/dev/null/x"], "--cdr /dev/null/x: Not a directory; give a file"),
        ([*LOAD, "-m", "1", "--run-dir", "/dev/null/x"], "/dev/null/x"),
        ([*LOAD, "-m", "1", "--scenario", "/nowhere.py"], "/nowhere.py: No such file or directory; give a Python file"),
        (["robot", "/nowhere.py"], "/nowhere.py: No such file or directory; give a Python file"),
        (["robot", "/dev/null"], "/dev/null:1: there is no 'async def robot' in it"),
        (["call", "127.0.0.1", "--auth-user", "a"], "belong together; give both"),
        (["call", "127.0.0.1:0x"], "target '127.0.0.1:0x'.*write for example sip:user@"),
        (["call", "127.0.0.1", "-t", "tls", "-p", "5061"], "a tls listener needs a certificate; say --tls-cert"),
        (["call", "127.0.0.1", "--play", "/nowhere.wav"], "'/nowhere.wav' does not exist"),
        (["call", "127.0.0.1", "--cdr", "/dev/null/x"], "--cdr /dev/null/x: Not a directory"),
        (["answer", "--register", "127.0.0.1"], "names no user; write sip:user@registrar"),
        (["answer", "--register", "a@127.0.0.1;transport=tcp"], "no listener reaches tcp:127.0.0.1; say --listen tcp:"),
        (["answer", "--register", "a@10.0.0.1"], "calls cannot come to udp:127.0.0.1:5070 from 10.0.0.1; say --listen"),
        (["answer", "--advertise", "0.0.0.0"], "no peer can send to it; write the address that peers reach you by"),
        (["answer", "--advertise", "[::]"], "no peer can send to it"),
        (["robot", "/dev/null", "--advertise", "203.0.113.5:5060"], "the ports of the sockets hold .* drop :5060"),
        ([*LOAD, "-m", "1", "--advertise", "nat.example.org"], "it is no IP address; names are not looked up"),
        (["call", "127.0.0.1", "--advertise", "2001:db8::1"], "is IPv6, and no listener is .udp:127.0.0.1:0.; add"),
        (["answer", "--advertise", "2001:db8::1"], "is IPv6, and no listener is .udp:127.0.0.1:5070.; add a listener"),
        (["answer", "--advertise", "224.0.0.1"], "cannot reach one host by it; write its unicast address"),
        (["call", "127.0.0.1", "-i", "::1"], "-i ::1 does not reach 127.0.0.1; give an IPv4 address"),
        ([*LOAD, "-m", "1", "-i", "::"], "-i :: does not reach 127.0.0.1; give an IPv4 address"),
        (["answer", "--listen", "udp::5070"], "'' is not an IP address; .* udp:0.0.0.0:5070 for all of IPv4"),
        (["answer", "-t", "tcp", "--listen", "tcp:127.0.0.1:0"], "give only --listen"),
        (["answer", "-t", "tls"], "a tls listener needs a certificate; say --tls-cert"),
        (["answer", "--from", "sip:a@b"], "No such option"),
        (
            ["answer", "-p", "0", "--media", "play:/nowhere.wav"],
            "/nowhere.wav: No such file or directory; give an audio",
        ),
        (["answer", "-p", "0", "--media", "play:/dev/null"], "/dev/null is no regular file"),
        ([*LOAD, "-m", "1", "--media", "play:/nowhere.wav"], "/nowhere.wav: No such file or directory; give an audio"),
        (["check", *LOAD, "-m", "1", "--media", "play:/nowhere.wav"], "/nowhere.wav: No such file or directory"),
        (["call", "127.0.0.1", "--record", "/nowhere/x.wav"], "'/nowhere' does not exist; give a file that can be"),
        (["call", "127.0.0.1", "--record", "/etc/passwd/x.wav"], "'/etc/passwd' is a file; give a file that can be"),
        (["answer", "-i", "192.0.2.1"], "udp:192.0.2.1:5070: 192.0.2.1 is no address of this host"),
        ([*LOAD, "-m", "1", "--from", "alice"], "'alice' has no host; write sip:alice@HOST"),
        (["call", "127.0.0.1", "--from", "alice"], "'alice' has no host; write sip:alice@HOST"),
        (["load", "a@nowhere.invalid", "-m", "1"], "the name 'nowhere.invalid' has no address .*; check the name, or"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_is_one_line_with_the_fix_and_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert not shown.out
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("sipswarm")
    assert re.search(said, shown.err), shown.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["answer", "-p", "0"],
        [*LOAD, "-m", "1"],
        ["call", "127.0.0.1"],
        ["check", "answer", "-p", "0"],
        ["check", *LOAD, "-m", "1"],
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("song.mp3", b"ID3\x03\0\0\0\0\0\x0a" + bytes(30), "is MP3 audio"),
        ("song.wav", b"<!DOCTYPE html><html>404", "is an HTML page, which cannot be played; download"),
        ("song.wav", b"version https://git-lfs.github.com/spec/v1", "is a Git LFS pointer .*git lfs pull"),
        ("song", bytes(4000), "is no audio file that is known .*write raw:FILE"),
        ("song.wav", b"", "is empty"),
        ("raw:song", b"", "is empty"),
    ],
    ids=["MP3", "HTML", "LFS", "zeros", "empty", "short payload"],
)
def test_a_file_that_is_no_audio_is_refused_before_anything_starts(
    arguments: list[str],
    name: str,
    data: bytes,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / name.removeprefix("raw:")
    file.write_bytes(data)
    given = f"raw:{file}" if name.startswith("raw:") else str(file)
    option = ["--play", given] if arguments[0] == "call" else ["--media", f"play:{given}"]
    assert main([*arguments, *option]) == 2
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert re.search(f"{file} {said}", shown.err), shown.err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("data.csv", b"a,b\n1,2\n3\n", ":3: 1 fields, but there are 2 columns"),
        ("data.csv", b"a,b\n", ":1: there are no rows in it; write a line for each call"),
        ("data.csv", b"SEQUENTIAL\n1;2\n# c\n3\n", ":4: 1 fields, but there are 2 columns"),
        ("data.csv", b"a\n\xff\n", ":2: this is not UTF-8; convert the file"),
        ("scenario.py", b"async def scenario(ua, row):\n    return (\n", ":2: '.' was never closed"),
        ("scenario.py", b"import nowhere_at_all\n", ":1: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        (
            "scenario.py",
            b"async def other(ua, row): ...\n",
            ":1: there is no 'async def scenario' .*; it has other; name",
        ),
        ("profile", b"1/1s\nfast\n", ":2: 'fast' is neither a step such as 50/30s nor a ramp"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_line_of_a_file_is_named_with_its_number_before_anything_is_made(
    tmp_path: Path, name: str, text: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    file.write_bytes(text)
    good = tmp_path / "good.py"
    good.write_text("async def scenario(ua, row): ...\n")
    option = {
        "data.csv": ["--scenario", str(good), "--data", str(file)],
        "scenario.py": ["--scenario", str(file)],
        "profile": ["--profile", str(file)],
    }[name]
    out = tmp_path / "out"
    assert main([*LOAD, "-m", "1", *option, "--out", str(out)]) == 2
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert re.search(re.escape(str(file)) + said, shown.err), shown.err
    assert not out.exists()


def as_nobody(arguments: list[str]) -> tuple[int, str]:
    """Exit code and standard error of the command line, run by somebody who may do little."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writing, 2)
        if not os.getuid():
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), write_through=True)
        os._exit(main(arguments))
    os.close(writing)
    with os.fdopen(reading) as stream:
        said = stream.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--cdr", "Permission denied; give a file in a folder that can be written to"),
        ("--profile", "is not readable; give a file of lines such as 50/30s"),
        ("--auth-password-file", "is not readable; give a file that you may read"),
        ("--out", "Permission denied; give a folder that can be written to"),
        ("--config", "is not readable; give a TOML file that you may read"),
        ("--media", "Permission denied; give an audio file"),
    ],
)
def test_a_permission_that_is_missing_is_named_with_its_file(option: str, said: str) -> None:
    with TemporaryDirectory() as folder:  # not the tests' own, which is closed to others as a whole
        os.chmod(folder, 0o755)
        place = Path(folder, "place")
        if option == "--out":
            place.mkdir(mode=0o555)
            place = place / "out"
        else:
            place.touch(mode=0o000)
        more = ["--auth-user", "alice"] if option == "--auth-password-file" else []
        out = [] if option == "--out" else ["--out", "/dev/null/x"]
        value = f"play:{place}" if option == "--media" else str(place)
        code, shown = as_nobody([*LOAD, "-m", "1", option, value, *more, *out])
    assert code == 2, shown
    assert shown.count("\n") == 1, shown
    assert str(place) in shown
    assert said in shown


@pytest.mark.skipif(
    int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 7,
    reason="anybody may take port 7 here: net.ipv4.ip_unprivileged_port_start",
)
def test_a_port_that_is_not_ours_to_take_is_named_with_the_fix() -> None:
    code, shown = as_nobody(["answer", "-p", "7", "--metrics", "off"])
    assert code == 2, shown
    assert shown.count("\n") == 1, shown
    assert "udp:127.0.0.1:7" in shown
    assert "1024" in shown


@pytest.mark.parametrize(
    ("mode", "text", "said"),
    [
        (0o644, b"open\n", r"anybody may read it \(mode 0644\); chmod 600"),
        (0o604, b"open\n", "anybody may read it"),
        (0o600, b"\nopen\n", "its first line is empty; write the password in it"),
        (0o600, b"\xff\n", "this is not UTF-8"),
    ],
)
def test_a_password_file_that_is_not_good_is_refused(tmp_path: Path, mode: int, text: bytes, said: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(text)
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match=said):
        read_password(file)


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True)])
def test_a_password_is_the_first_line_and_a_group_that_may_read_it_is_warned_about(
    tmp_path: Path, mode: int, warned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "password"
    file.write_text(" with spaces \r\nmore\n")
    file.chmod(mode)
    assert read_password(file) == " with spaces "
    assert ("chmod 600" in capsys.readouterr().err) is warned


def test_a_password_may_come_through_a_pipe() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"secret\n")
    os.close(writing)
    try:
        assert read_password(Path(f"/dev/fd/{reading}")) == "secret"
    finally:
        os.close(reading)


PROXIES = {
    "junk": "the name 'junk' has no address .*; check the name, or",
    "sip:nosuch.invalid": "the name 'nosuch.invalid' has no address .*; check the name, or",
    "sip:a..b": "has no address .*; check the name, or",
    "sip:127.0.0.1:9;transport=sctp": "transport 'sctp' is not known; write udp, tcp or tls",
    "sip:127.0.0.1;transport=ws": "transport 'ws' is not known; write udp, tcp or tls",
    "http://x": "",
    "sip:": "write for example sip:user@192.0.2.1:5060",
    "sip:127.0.0.1:9;transport=tcp": "no listener reaches tcp:127.0.0.1; say --listen tcp:",
    "sips:127.0.0.1": "no listener reaches tls:127.0.0.1; say --listen tls:",
    "sip:[::1]:9": "no listener reaches udp:.::1.; say --listen udp:",
}


@pytest.mark.parametrize("checked", [False, True], ids=["run", "check"])
@pytest.mark.parametrize("verb", ["answer", "robot"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_a_proxy_that_cannot_be_used_is_said_before_anything_is_begun(
    proxy: str, verb: str, checked: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    robot = tmp_path / "robot.py"
    robot.write_text("async def robot(call):\n    pass\n")
    arguments = [*(["check"] if checked else []), verb, *([str(robot)] if verb == "robot" else [])]
    assert main([*arguments, "--listen", "udp:127.0.0.1:0", "--metrics", "off", "--proxy", proxy]) == 2
    shown = capsys.readouterr()
    assert not shown.out
    assert shown.err.count("\n") == 1
    assert "--proxy" in shown.err
    assert re.search(PROXIES[proxy], shown.err)


JUNK = ("", "junk", "sip:nosuch.invalid", "127.0.0.1:9;transport=sctp", "-1", "/nowhere/x", "\udcff", "x" * 300, "[")


@pytest.mark.parametrize("verb", ["answer", "robot", "load", "probe"])
def test_no_value_of_an_option_ends_in_a_traceback(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sweep over options and junk: everything that can be known is known before anything is begun."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "robot.py").write_text("async def robot(call):\n    pass\n")
    monkeypatch.setattr(user_file, "try_out", lambda *arguments: None)  # a process each, always of the same file
    names = [option.opts[-1] for option in cli.commands[verb].params if isinstance(option, click.Option)]
    tried = 0
    for name, junk in itertools.product(names, JUNK):
        targets = {"robot": ["robot.py"], "load": ["127.0.0.1:9", "-m", "1"], "probe": ["127.0.0.1:9"]}
        target = targets.get(verb, [])
        capsys.readouterr()
        status = main(["check", verb, *target, f"{name}={junk}" if name.startswith("--") else f"{name}{junk}"])
        error = capsys.readouterr().err
        assert status in (0, 2), (name, junk)
        assert error.count("\n") <= 1, (name, junk, error)
        tried += 1
    assert tried > 200


def test_a_profile_that_is_no_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "profile").write_bytes(b"\xd4\xc3\xb2\xa1\x00")
    assert main([*LOAD, "--profile", str(tmp_path / "profile")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
