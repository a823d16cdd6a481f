"""Actions of a scenario file, carried out by SIPp and by ours: the lines of `log` behind them are the same.

One file has all rows, so that SIPp runs once. Each row has variables of its own, `@` before a name stands for that.
"""

import re
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from sipswarm.actors.sipp.actions.results import Loudness, Say
from tests.actors.sipp.actions.scenes import Playground

from .peers import SIPP, require

HEADERS = "X-A: one\r\nx-a: two\r\nX-To: x;y\r\nX-Empty:\r\nX-Date: 2026-11-30\r\n"
BODY = "v=0\r\nc=IN IP4 192.168.7.12\r\nm=audio 4000 RTP/AVP 0\r\nTo: body\r\n"
ON_TEXT = {
    "numbers": '<assign assign_to="@a" value="1.5"/><add assign_to="@a" value="1e20"/>',
    "zero": '<assign assign_to="@a" value="0"/>',
    "unset": '<add assign_to="@a" value="1"/>',
    "text as a number": '<assignstr assign_to="@a" value="12"/><add assign_to="@a" value="1"/>',
    "assign of a text": '<assignstr assign_to="@b" value="12"/><assign assign_to="@a" variable="@b"/>',
    "infinite": '<assign assign_to="@a" value="1e300"/><multiply assign_to="@a" value="1e300"/>',
    "no number": '<assign assign_to="@a" value="1e300"/><multiply assign_to="@a" value="1e300"/>'
    '<multiply assign_to="@a" value="0"/>',
    "division": '<assign assign_to="@a" value="7"/><assign assign_to="@b" value="2"/>'
    '<divide assign_to="@a" variable="@b"/><subtract assign_to="@a" variable="@b"/>',
    "todouble": '<assignstr assign_to="@b" value=" 7"/><todouble assign_to="@a" variable="@b"/>',
    "todouble of hexadecimal": '<assignstr assign_to="@b" value="0x1f"/><todouble assign_to="@a" variable="@b"/>',
    "todouble of nothing": '<assignstr assign_to="@b" value=""/><todouble assign_to="@a" variable="@b"/>',
    "todouble of a truth value": '<assign assign_to="@a" value="3"/>'
    '<test assign_to="@b" variable="@a" compare="equal" value="3"/><todouble assign_to="@a" variable="@b"/>',
    "true": '<assign assign_to="@b" value="3"/><test assign_to="@a" variable="@b" compare="less_than" value="4"/>',
    "false": '<assign assign_to="@b" value="3"/><test assign_to="@a" variable="@b" compare="not_equal" value="3"/>',
    "test of a text": '<assignstr assign_to="@b" value="3"/>'
    '<test assign_to="@a" variable="@b" compare="equal" value="3"/>',
    "strcmp": '<assignstr assign_to="@b" value="abc"/><strcmp assign_to="@a" variable="@b" value="zzz"/>',
    "strcmp of a beginning": '<assignstr assign_to="@b" value="abc"/><strcmp assign_to="@a" variable="@b" value="a"/>',
    "strcmp of equal ones": '<assignstr assign_to="@b" value="abc"/><strcmp assign_to="@a" variable="@b" value="abc"/>',
    "strcmp fills in nothing": '<assignstr assign_to="@b" value="one"/>'
    '<strcmp assign_to="@a" variable="@b" value="[$@b]"/>',
    "trim": '<assignstr assign_to="@a" value="  a b \t "/><trim assign_to="@a"/><assignstr assign_to="@b" value="x"/>',
    "fixed": '<sample assign_to="@a" distribution="fixed" value="4"/>',
}
"""What needs no message."""
ON_MESSAGE = {
    "groups": '<ereg regexp="tag=([0-9]*)" search_in="msg" assign_to="@a,@b"/>',
    "longest": '<ereg regexp="on|one|x" search_in="hdr" header="X-A:" assign_to="@a"/>',
    "class": '<ereg regexp="[[:digit:]]{1,3}(\\.[[:digit:]]{1,3}){3}" search_in="body" assign_to="@a,@b"/>',
    "order of groups": '<ereg regexp="(a|au)(u|udio)( *)" search_in="body" assign_to="@b,@a"/>',
    "group without a part": '<assignstr assign_to="@b" value="old"/>'
    '<ereg regexp="(zz)|one" search_in="msg" assign_to="@a,@b"/>',
    "no match": '<assignstr assign_to="@a" value="old"/><ereg regexp="zzz" search_in="msg" assign_to="@a"/>',
    "more variables than groups": '<assignstr assign_to="@b" value="old"/>'
    '<ereg regexp="one" search_in="msg" assign_to="@a,@b"/>',
    "no place": '<ereg regexp="tag=." assign_to="@a"/>',
    "header": '<ereg regexp=".*" search_in="hdr" header="X-A:" assign_to="@a"/>'
    '<ereg regexp=".*" search_in="hdr" header="x-a:" assign_to="@b"/>',
    "header without case": '<ereg regexp=".*" search_in="hdr" header="X-a:" case_indep="true" assign_to="@a"/>'
    '<ereg regexp=".*" search_in="hdr" header="X-a:" case_indep="true" occurrence="2" assign_to="@b"/>',
    "second occurrence": '<ereg regexp=".*" search_in="hdr" header="To:" occurence="2" assign_to="@a"/>'
    '<ereg regexp=".*" search_in="hdr" header="To:" start_line="true" occurence="2" assign_to="@b"/>',
    "first line": '<ereg regexp=".*" search_in="hdr" header="SIP/2.0" start_line="true" assign_to="@a"/>',
    "header that is not there": '<assignstr assign_to="@a" value="old"/>'
    '<ereg regexp=".*" search_in="hdr" header="None:" assign_to="@a"/>'
    '<assignstr assign_to="@b" value="old"/><ereg regexp="x" search_in="hdr" header="None:" assign_to="@b"/>',
    "anchors": '<ereg regexp="^SIP/2.0 2[0-9]+" search_in="msg" assign_to="@a"/>'
    '<ereg regexp="^To:.*" search_in="msg" assign_to="@b"/>',
    "over lines": '<ereg regexp="X-A.*X-To" search_in="msg" assign_to="@a"/>',
    "variable": '<ereg regexp="tag=." search_in="msg" assign_to="@b"/>'
    '<ereg regexp="=(.)" search_in="var" variable="@b" assign_to="@a"/>',
    "variable with a number": '<assign assign_to="@b" value="2"/>'
    '<ereg regexp="[0-9.]+" search_in="var" variable="@b" assign_to="@a"/>',
    "number of a match": '<ereg regexp="77" search_in="msg" assign_to="@b"/><todouble assign_to="@a" variable="@b"/>',
    "words": '<ereg regexp="\\bm=(\\w+)\\>" search_in="body" assign_to="@a,@b"/>',
    "without d of Perl": '<ereg regexp="\\\\d+" search_in="msg" assign_to="@a"/>',
}
"""What searches the message that was received."""


class Answering:
    """Answers each request with the same 200, in a thread."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.response = ""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        request, peer = self._socket.recvfrom(65536)
        if not request:
            return
        head = dict(re.findall(r"^([\w-]+): (.*)\r$", request.decode("latin-1"), re.M))
        copied = "".join([f"{name}: {head[name]}\r\n" for name in ("Via", "From", "Call-ID", "CSeq")])
        length = f"Content-Length: {len(BODY)}\r\n\r\n"
        self.response = f"SIP/2.0 200 OK\r\nTo: {head['To']};tag=77\r\n{copied}{HEADERS}{length}{BODY}"
        self._socket.sendto(self.response.encode("latin-1"), peer)

    def close(self) -> None:
        """End the thread, and the socket with it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()


def own(text: str, number: int) -> str:
    """A row with the variables of its own."""
    return text.replace("@", f"v{number}_")


def rows_of(table: dict[str, str], first: int) -> Iterator[tuple[str, str, str]]:
    """(title, actions, the log behind them) of each row."""
    for number, (title, text) in enumerate(table.items(), first):
        shown = own("{[$@a]}{[$@b]}" if "@b" in text else "{[$@a]}", number)
        yield title, own(text, number), f'<log message="row {number}: {shown}"/>'


SAME = [*rows_of(ON_TEXT, 0), *rows_of(ON_MESSAGE, len(ON_TEXT))]
FILE = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="actions">
<send><![CDATA[
OPTIONS sip:x@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@b>;tag=1
To: <sip:x@b>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"><action>{on_message}</action></recv>
<nop><action>{on_text}</action></nop>
</scenario>
"""


@pytest.fixture(scope="module")
def logged_by_sipp(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[int, str], str]:
    """What SIPp has logged for each row, and the message that it received."""
    program = require(SIPP)
    folder = tmp_path_factory.mktemp("actions")
    on_text = "".join([actions + log for _, actions, log in SAME[: len(ON_TEXT)]])
    on_message = "".join([actions + log for _, actions, log in SAME[len(ON_TEXT) :]])
    (folder / "actions.xml").write_text(FILE.format(on_text=on_text, on_message=on_message))
    peer = Answering()
    try:
        command = [program, "-sf", "actions.xml", f"127.0.0.1:{peer.port}", "-i", "127.0.0.1", "-m", "1", "-nostdin"]
        ended = subprocess.run(
            [*command, "-trace_logs", "-log_file", "logs", "-timeout", "20"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        peer.close()
    assert ended.returncode == 0, ended.stderr
    text = (folder / "logs").read_bytes().decode("latin-1")
    found = re.findall(r"^row (\d+): (.*?)\n(?=row |\Z)", text, re.M | re.S)
    return {int(number): line for number, line in found}, peer.response


@pytest.mark.parametrize(("number", "title"), list(enumerate([title for title, _, _ in SAME])), ids=str)
def test_a_row_logs_the_same(number: int, title: str, logged_by_sipp: tuple[dict[int, str], str]) -> None:
    lines, message = logged_by_sipp
    _, actions, log = SAME[number]
    play = Playground(message=message, **{own(name, number): None for name in ("@a", "@b")})
    for text in re.findall(r"<.*?/>", actions):
        play.run(text)
    said = play.run(log)
    assert said == Say(Loudness.LOG, f"row {number}: {lines[number]}"), title
