"""The report on a scenario file: what it does and needs, and why it cannot be run."""

from sipswarm.actors.sipp import scenario_file
from sipswarm.actors.sipp.check import flow, passes, report, tolerations
from sipswarm.actors.sipp.program_reader import read

from .files import INVITE, program


def test_a_file_that_can_be_run_is_described() -> None:
    found = read(scenario_file.read_builtin("regexp"))
    lines = report(found)
    assert lines[0] == "scenario: regexp (caller with regular expressions)"
    assert lines[1] == "role: sends, its first message is sent; 9 commands"
    assert "variables of a call: contact, media, port, uri" in lines
    assert "response times: answer" in lines
    assert any(line.startswith("actions: ereg (") for line in lines)
    assert passes(found)


def test_what_is_missing_and_what_is_tolerated_stands_at_the_end() -> None:
    found = program(f'{INVITE}<nop><action><exec play_pcap_audio="a.pcap"/></action></nop>\n<pause x="1"/>\n<lua/>')
    missing = {"a.pcap": "no such file; give a capture"}
    assert report(found, missing)[-3:] == [
        "tolerated: a.xml:5: attribute x of <pause>: taken as nothing",
        "MISSING: a.pcap: no such file; give a capture",
        "NOT POSSIBLE: a.xml:6: <lua> is not supported yet",
    ]
    assert not passes(found, missing)
    assert not passes(found)
    assert tolerations(found) == ["a.xml:5: attribute x of <pause>: taken as nothing"]


def test_the_steps_of_a_file_are_listed() -> None:
    found = program(
        f'{INVITE}<recv response="100" optional="true"/><recv response="200"/><pause/><pause milliseconds="5"/>'
        '<pause variable="a"/><nop/><recv request="BYE"/><sendCmd><![CDATA[a]]></sendCmd><recvCmd/>'
        "<send><![CDATA[SIP/2.0 200 OK]]></send><timewait/>"
    )
    assert [line.split(" ", 2)[2] for line in flow(found)] == [
        "send INVITE",
        "recv 100, optional=true",
        "recv 200",
        "pause of -d",
        "pause fixed 5 ms",
        "pause of $a ms",
        "nop",
        "recv BYE",
        "sendCmd",
        "recvCmd",
        "send 200",
        "timewait of -d",
    ]
    assert flow(found)[0] == "0 a.xml:2 send INVITE"
