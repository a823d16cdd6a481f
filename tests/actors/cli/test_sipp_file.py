"""`sipswarm check load HOST -sf FILE.xml`: the report on a scenario file of SIPp, and the exit code."""

from pathlib import Path

import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.sipp import scenario_file
from tests.media.written_captures import of_rtp, speech

INVITE = "<send><![CDATA[\nINVITE sip:[service] SIP/2.0\nX-Tenant: [tenant]\n]]></send>"
OK = '<recv response="200"/>'


def written(tmp_path: Path, inside: str, name: str = "a.xml") -> str:
    file = tmp_path / name
    file.write_text(f"<scenario name='x'>\n{inside}\n</scenario>")
    return str(file)


def test_a_file_that_can_be_run_is_shown_and_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "uac.XML"
    file.write_text(scenario_file.text_of("uac"))
    assert main(["check", "load", "127.0.0.1", "-sf", str(file)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == [f"scenario: {file} (caller)", "role: sends, its first message is sent; 9 commands"]
    assert shown[-9] == f"0 {file}:4 send INVITE"


@pytest.mark.parametrize("name", ["uac.sipp", "uac.sf", "uac.xml.in", "uac.txt", "uac"])
def test_the_name_of_a_scenario_file_may_be_any_but_that_of_a_python_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    file = tmp_path / name
    file.write_text("\n" + scenario_file.text_of("uac"))
    assert main(["check", "load", "127.0.0.1", "-sf", str(file)]) == 0
    assert capsys.readouterr().out.startswith(f"scenario: {file} (caller)")


@pytest.mark.parametrize(
    ("name", "text", "is_sipp"),
    [
        ("a.py", "<scenario/>", False),
        ("a.py:go", "<scenario/>", False),
        ("a", "\ufeff\r\n <scenario/>", True),
        ("a", "async def scenario(ua, row): ...", False),
        ("a.xml", "", True),
    ],
)
def test_a_file_without_a_suffix_is_looked_at(tmp_path: Path, name: str, text: str, is_sipp: bool) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert scenario_file.is_named(str(path)) is is_sipp
    path.unlink()
    assert scenario_file.is_named(str(path)) is (name == "a.xml")


def test_a_key_of_the_command_line_is_needed_and_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, INVITE + OK)
    assert main(["check", "load", "127.0.0.1", "-sf", file]) == 2
    assert f"NOT POSSIBLE: {file}:4: [tenant] is no keyword; write -key tenant VALUE" in capsys.readouterr().out
    assert main(["check", "load", "127.0.0.1", "--scenario", file, "-key", "tenant", "blue"]) == 0
    assert "keywords of -key: tenant (4)" in capsys.readouterr().out


def test_programs_run_only_when_they_are_allowed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, f'{INVITE}<nop><action><exec command="ls"/></action></nop>')
    load = ["check", "load", "127.0.0.1", "-sf", file, "-key", "tenant", "blue"]
    assert main(load) == 2
    assert '<exec command="ls"> runs a program; allow it with --allow-exec' in capsys.readouterr().out
    assert main([*load, "--allow-exec"]) == 0
    shown = capsys.readouterr().out
    assert "programs of exec: ls (5)" in shown
    assert "NOT POSSIBLE" not in shown


def test_files_that_the_scenario_names_must_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    actions = '<exec play_pcap_audio="a.pcap"/><log message="[field0] [field1 file=u.csv]"/>'
    inside = f"{INVITE}<nop><action>{actions}</action></nop>"
    load = ["check", "load", "127.0.0.1", "-sf", written(tmp_path, inside), "-key", "tenant", "blue"]
    assert main(load) == 2
    missing = [line for line in capsys.readouterr().out.splitlines() if line.startswith("MISSING")]
    assert missing == [
        "MISSING: a.pcap: there is no such file; give it beside the scenario file or in this folder",
        "MISSING: injection file: the scenario file takes fields of it; give it with -inf",
        "MISSING: u.csv: the scenario file takes fields of it; give it with -inf",
    ]
    assert main([*load, "-inf", str(tmp_path / "u.csv")]) == 2
    assert "u.csv: No such file or directory" in capsys.readouterr().err
    (tmp_path / "u.csv").write_text("SEQUENTIAL\na;b\n")
    (tmp_path / "a.pcap").write_bytes(of_rtp([]))
    assert main([*load, "-inf", str(tmp_path / "u.csv")]) == 2
    assert f"MISSING: a.pcap: {tmp_path / 'a.pcap'} has no RTP packet" in capsys.readouterr().out
    (tmp_path / "a.pcap").write_bytes(of_rtp(speech(1)))
    assert main([*load, "-inf", str(tmp_path / "u.csv")]) == 0
    shown = capsys.readouterr().out
    assert "MISSING" not in shown
    assert "NOT POSSIBLE" not in shown


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ('<recv request="INVITE"/>', "a.xml:2: the first message of its calls is received"),
        ("<![CDATA[", "a.xml:2: the CDATA section that begins here is not closed"),
        ("", "a.xml:1: there is neither <send> nor <recv> in it"),
    ],
)
def test_a_file_that_a_load_cannot_use_is_an_error_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], inside: str, said: str
) -> None:
    assert main(["check", "load", "127.0.0.1", "-sf", written(tmp_path, inside)]) == 2
    assert said in capsys.readouterr().err


def test_a_missing_file_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "load", "127.0.0.1", "-sf", str(tmp_path / "no.xml")]) == 2
    assert "no.xml: No such file or directory; give a scenario file of SIPp" in capsys.readouterr().err


def test_a_robot_runs_programs_only_when_they_are_allowed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, '<recv request="OPTIONS"/><nop><action><exec command="true"/></action></nop>')
    robot = ["check", "robot", "-sf", file, "--listen", "udp:127.0.0.1:0"]
    assert main(robot) == 2
    assert '<exec command="true"> runs a program; allow it with --allow-exec' in capsys.readouterr().out
    assert main([*robot, "--allow-exec"]) == 0
    assert "programs of exec: true (2)" in capsys.readouterr().out


def test_a_robot_refuses_what_it_does_not_carry_out_by_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, '<recv request="OPTIONS"/>\n<sendCmd><![CDATA[ Call-ID: [call_id] ]]></sendCmd>')
    assert main(["check", "robot", "-sf", file, "--listen", "udp:127.0.0.1:0"]) == 2
    shown = capsys.readouterr().out
    assert "a.xml:3: <" in shown
    assert "not carried out by a robot yet" in shown


def test_a_robot_takes_rows_of_users(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "users.csv"
    rows.write_text("USER\na;1\nb;2\n")
    file = written(tmp_path, f'<recv request="OPTIONS"/>{INVITE}'.replace("[tenant]", "[field0 line=1]"))
    robot = ["robot", "-sf", file, "--listen", "udp:127.0.0.1:0"]
    assert main(["check", *robot, "-inf", str(rows)]) == 0
    assert main([*robot, "-inf", str(tmp_path / "none.csv")]) == 2
    assert "none.csv" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--dtmf", "1"], ["--expect-dtmf", "1"], ["--expect-code", "486"]])
def test_a_file_judges_its_calls_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str], option: list[str]) -> None:
    inside = INVITE.replace("X-Tenant: [tenant]", "X: y")
    assert main(["load", "127.0.0.1", "-m", "1", "-sf", written(tmp_path, inside), *option]) == 2
    assert f"{option[0]} is not for a scenario file of SIPp" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", [["--expect-media"], ["--media-share", "0.5"], ["--expect-mos", "3"], ["--expect-audio"]]
)
def test_media_is_expected_only_where_there_is_any(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    inside = INVITE.replace("X-Tenant: [tenant]", "X: y")
    assert main(["load", "127.0.0.1", "-m", "1", "-sf", written(tmp_path, inside), *option]) == 2
    assert "needs media, and the file plays and echoes none; say --media silence" in capsys.readouterr().err


def test_several_files_of_rows_are_given_by_inf(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "users.csv").write_text("USER\na;1\nb;2\n")
    (tmp_path / "rows.csv").write_text("RANDOM\nc\n")
    file = written(tmp_path, INVITE.replace("[tenant]", "[field0] [field0 file=rows.csv]"))
    load = ["load", "127.0.0.1", "-sf", file, "-inf", str(tmp_path / "users.csv")]
    assert main(["check", *load]) == 2
    assert f"MISSING: rows.csv: -inf names {tmp_path / 'users.csv'}; give this file too" in capsys.readouterr().out
    assert main(["check", *load, "-inf", str(tmp_path / "rows.csv")]) == 0
    assert main([*load, "-inf", str(tmp_path / "none.csv"), "-m", "1"]) == 2
    assert "none.csv" in capsys.readouterr().err


def test_a_second_file_of_rows_needs_a_scenario_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load", "127.0.0.1", "-m", "1", "-inf", "a.csv", "-inf", "b.csv"]) == 2
    assert "--more-data is for a scenario file of SIPp" in capsys.readouterr().err


def test_files_in_messages_are_named_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, INVITE.replace("[tenant]", "[file name=body.txt]"))
    assert main(["check", "load", "127.0.0.1", "-sf", file]) == 2
    assert "MISSING: body.txt: there is no such file" in capsys.readouterr().out
    (tmp_path / "body.txt").write_text("x")
    assert main(["check", "load", "127.0.0.1", "-sf", file]) == 0
    file = written(tmp_path, INVITE.replace("[tenant]", "[file name=[service].txt]"))
    assert main(["check", "load", "127.0.0.1", "-sf", file]) == 2
    assert "NOT POSSIBLE" in capsys.readouterr().out


@pytest.mark.parametrize(("form", "said"), [("same", "write %u into it"), ("a b%u", "without blanks")])
def test_a_form_of_call_ids_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, said: str
) -> None:
    file = written(tmp_path, INVITE.replace("X-Tenant: [tenant]", "X: y"))
    assert main(["load", "127.0.0.1", "-m", "1", "-sf", file, "-cid_str", form]) == 2
    assert said in capsys.readouterr().err


def test_a_robot_takes_a_file_that_receives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, f'<recv request="OPTIONS"/>{INVITE}'.replace("INVITE sip:[service]", "SIP/2.0 200 OK"))
    robot = ["check", "robot", "-sf", file, "--listen", "udp:127.0.0.1:0"]
    assert main(robot) == 2
    assert "[tenant] is no keyword; write -key tenant VALUE" in capsys.readouterr().out
    assert main([*robot, "-key", "tenant", "blue"]) == 0
    shown = capsys.readouterr().out
    assert "role: receives, its first message is received; 2 commands" in shown
    assert "listen on: udp:127.0.0.1:0" in shown


@pytest.mark.parametrize(
    ("verb", "name", "role"),
    [(["load", "127.0.0.1"], "uac", "sends"), (["robot", "--listen", "udp:127.0.0.1:0"], "uas", "receives")],
)
def test_a_scenario_that_comes_along_is_printed_and_taken_by_its_name(
    verb: list[str], name: str, role: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb[0], "-sd", name]) == 0
    assert capsys.readouterr().out == scenario_file.text_of(name)
    assert main(["check", *verb, "-sn", name]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"scenario: -sn {name}.xml (")
    assert f"role: {role}," in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["load", "127.0.0.1", "-m", "1", "-sn", "nothing"], "there is no scenario 'nothing'; write one of uac,"),
        (["load", "-sd", "nothing"], "there is no scenario 'nothing'; write one of uac,"),
        (["load", "127.0.0.1", "-m", "1", "-sn", "uac", "-sf", "a.xml"], "-sn and -sf name a scenario each"),
        (["load", "127.0.0.1", "-m", "1", "-sn", "uas"], "-sn uas.xml:4: the first message of its calls is received"),
        (["robot", "-sn", "uac"], "-sn uac.xml:4: the first message of its calls is sent; a robot needs"),
        (["robot", "a.py", "-sn", "uas"], "FILE and -sf or -sn name a robot each; give one of them"),
        (["robot", "-sn", "uas", "127.0.0.1:5060"], "give one of them, and no target: drop 127.0.0.1:5060"),
        (
            ["check", "robot", "-sn", "uas", "-l", "1"],
            "-l is an option of SIPp that only load has; a robot takes calls",
        ),
        (["robot", "uas.xml"], "uas.xml is a scenario file of SIPp; write robot -sf uas.xml"),
        (["robot", "-sn", "uas", "-l", "1"], "-l is an option of SIPp that only load has; a robot takes calls until"),
        (["robot", "-sf", "a.py"], "-sf a.py is no scenario file of SIPp; write robot FILE for a Python file"),
        (["robot", "a.py", "-aa"], "-aa is for a scenario file of SIPp; say -sf FILE.xml too"),
        (["robot", "a.py", "-d", "1s"], "-d is for a scenario file of SIPp; say -sf FILE.xml too"),
        (["robot", "a.py", "-inf", "a.csv"], "-inf is for a scenario file of SIPp; say -sf FILE.xml too"),
        (["robot"], "Missing argument 'FILE'; give a Python file, or -sf FILE.xml"),
    ],
)
def test_what_does_not_go_together_is_said(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_plain_call_is_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "uac.xml"
    file.write_text(scenario_file.text_of("uac"))
    assert main(["convert", str(file)]) == 0
    text = capsys.readouterr().out
    compile(text, "scenario.py", "exec")
    assert "    call = await ua.invite(ua.target)" in text


def test_a_file_without_a_counterpart_is_not_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, f'{INVITE}<recv response="180"/>\n<recv response="200" next="a"/><label id="a"/>')
    assert main(["convert", file, "-key", "tenant", "blue"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "sipswarm: a.xml:5: <recv> 180 has no counterpart at this place",
        "sipswarm: a.xml:6: next has no counterpart; write if and while by hand",
    ]


def test_only_global_variables_can_be_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, f'<Global variables="n"/>{INVITE}<recv response="200" test="n" next="a"/><label id="a"/>')
    load = ["check", "load", "127.0.0.1", "-sf", file, "-key", "tenant", "blue"]
    assert main([*load, "-set", "n", "1"]) == 0
    assert main([*load, "-set", "m", "1"]) == 2
    assert "-set m: the file has no global variable m" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["-key", "a", "b"], ["-set", "a", "b"], ["--allow-exec"]])
def test_options_of_such_files_need_one(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load", "127.0.0.1", "-m", "1", *option]) == 2
    assert f"{option[0]} is for a scenario file of SIPp" in capsys.readouterr().err


def test_what_a_configuration_file_says_for_loads_is_nothing_to_a_robot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sipswarm.toml").write_text('scenario = "load.py"\nhold = "5s"\ndata = "rows.csv"\n')
    (tmp_path / "robot.py").write_text("async def robot(call):\n    await call.answer()\n")
    assert main(["check", "robot", "robot.py", "--listen", "udp:127.0.0.1:0"]) == 0, capsys.readouterr().err


TELL = "<sendCmd><![CDATA[ Call-ID: [call_id] ]]></sendCmd>"
SEND = INVITE.replace("X-Tenant: [tenant]", "X: y")


def test_commands_need_the_other_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = written(tmp_path, f"{SEND}{OK}{TELL}")
    load = ["check", "load", "127.0.0.1", "-sf", first]
    assert main(load) == 2
    assert ":5: <sendCmd> and <recvCmd> need the other side; give both files, -sf a.xml -sf b.xml" in (
        capsys.readouterr().out
    )
    second = written(tmp_path, f"<recvCmd/>{SEND}{OK}", "b.xml")
    assert main([*load, "-sf", second]) == 0
    shown = capsys.readouterr().out
    assert f"scenario: {first} (x)" in shown
    assert f"scenario: {second} (x)\nrole: receives, it waits for a command of the other side; 3 commands" in shown


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        (f"{SEND}{OK}", "b.xml:2: the other side of the calls begins with <recvCmd>"),
        ('<recv request="INVITE"/>', "b.xml:2: the other side of the calls begins with <recvCmd>"),
    ],
)
def test_the_other_side_waits_for_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], inside: str, said: str
) -> None:
    files = ["-sf", written(tmp_path, f"{SEND}{OK}{TELL}"), "-sf", written(tmp_path, inside, "b.xml")]
    assert main(["load", "127.0.0.1", "-m", "1", *files]) == 2
    assert said in capsys.readouterr().err


def test_a_command_of_the_other_side_may_be_optional(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second = written(tmp_path, f'<recvCmd/>{SEND}<recvCmd optional="true"/>{OK}', "b.xml")
    files = ["-sf", written(tmp_path, f"{SEND}{OK}{TELL}"), "-sf", second]
    assert main(["check", "load", "127.0.0.1", *files]) == 0
    assert "NOT POSSIBLE" not in capsys.readouterr().out


def test_a_load_tells_tolerated_mistakes_as_the_check_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, INVITE + '<recv response="100" optionnal="true"/>' * 7 + OK)
    load = ["load", "127.0.0.1", "-sf", file, "-key", "tenant", "blue"]
    assert main(["check", *load]) == 0
    line = f"tolerated: {file}:5: attribute optionnal of <recv>: taken as nothing; did you mean optional?"
    assert capsys.readouterr().out.splitlines().count(line) == 7
    nowhere = ["-trace_err", "-error_file", str(tmp_path / "no" / "x")]
    assert main([*load, "-m", "1", *nowhere]) == 2, "the file cannot be made: nothing is sent"
    told = capsys.readouterr().err
    assert told.count(line) == 5
    assert "tolerated: 2 more; sipswarm check shows them" in told


def test_audio_that_cannot_be_played_is_found_before_a_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.ul").write_bytes(bytes(8000))
    (tmp_path / "a.raw").write_bytes(bytes(8000))
    for name, passes in (("a.raw", True), ("a.ul", False)):
        action = f'<nop><action><exec rtp_stream="{name},1,99,G729/8000"/></action></nop>'
        load = ["load", "127.0.0.1", "-sf", written(tmp_path, INVITE + OK + action), "-key", "tenant", "blue"]
        assert main(["check", *load]) == (0 if passes else 2)
        assert ("MISSING: a.ul: audio cannot be encoded as G729" in capsys.readouterr().out) is not passes
    assert main(load) == 2
    assert "a.xml:5: a.ul: audio cannot be encoded as G729; use a raw file" in capsys.readouterr().err
