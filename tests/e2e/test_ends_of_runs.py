"""Runs end, whatever the peer does: real processes of ours against a UDP peer that a table tells how to misbehave."""

import asyncio
import csv
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.cli import main
from sipswarm.actors.errors import CallError, CallTimeout
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.e2e.agents import Peer, agent, reply
from tests.e2e.waiting import until
from tests.interop.processes import wait_until

WORKERS: Final = ["--call-workers", "1", "--media-workers", "1", "--quiet"]
SESSION: Final = "v=0\r\no=- 7 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
EVENTS: Final = "m=audio 9 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"


def sdp(media: str, address: str = "127.0.0.1", version: int = 1) -> bytes:
    """A description with one media line."""
    return (SESSION.format(version=version, address=address) + media).encode()


class BadPeer(threading.Thread):
    """Answers INVITE k with description k of a list, an empty one = never; then perhaps sends a re-INVITE.

    late: seconds until the answer. silent: it answers nothing at all. hold: the description of its re-INVITE. bye: its
    answer to BYE, 0 = none.
    """

    def __init__(
        self,
        answers: Sequence[bytes] = (),
        *,
        late: float = 0.0,
        silent: bool = False,
        hold: bytes = b"",
        bye: int = 200,
    ) -> None:
        super().__init__(daemon=True)
        self._answers = answers
        self._late = late
        self._silent = silent
        self._hold = hold
        self._bye = bye
        self._calls: list[str] = []
        self._transactions: list[tuple[str, str | None]] = []
        self.methods: list[str] = []
        """of the requests, in order; what comes again is no other request"""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self._over = threading.Event()

    @property
    def uri(self) -> str:
        return f"sip:peer@127.0.0.1:{self.socket.getsockname()[1]}"

    def number_of(self, call_id: str) -> int:
        """Which call of ours it was for the peer."""
        return self._calls.index(call_id)

    def __enter__(self) -> "BadPeer":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.join()
        self.socket.close()

    def run(self) -> None:
        while not self._over.is_set():
            try:
                data, address = self.socket.recvfrom(65535)
            except (TimeoutError, ConnectionError):
                continue
            message = parse(data)
            if isinstance(message, Request):
                transaction = (message.method, message.via.branch)
                if transaction not in self._transactions:
                    self._transactions.append(transaction)
                    self.methods.append(message.method)
                if not self._silent:
                    self._answer(message, address)

    def _answer(self, request: Request, address: tuple[str, int]) -> None:
        if request.method != "INVITE":
            status = self._bye if request.method == "BYE" else 200
            if request.method != "ACK" and status:
                self.socket.sendto(Response.to_request(request, status, to_tag="peer").to_bytes(), address)
            return
        if request.call_id in self._calls:
            return
        self._calls.append(request.call_id)
        body = self._answers[len(self._calls) - 1]
        if not body:
            return
        response = Response.to_request(
            request,
            200,
            to_tag="peer",
            extra=(("Contact", f"<{self.uri}>"),),
            body=body,
            content_type="application/sdp",
        )
        if self._late:
            time.sleep(self._late)
        self.socket.sendto(response.to_bytes(), address)
        if self._hold:
            time.sleep(0.1)
            self.socket.sendto(self._reinvite(request), address)

    def _reinvite(self, invite: Request) -> bytes:
        host, port = self.socket.getsockname()
        return (
            f"INVITE {invite.contacts[0].uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKhold{invite.call_id}\r\n"
            f"Max-Forwards: 70\r\nFrom: {invite.headers.get('To')};tag=peer\r\nTo: {invite.headers.get('From')}\r\n"
            f"Call-ID: {invite.call_id}\r\nCSeq: 1 INVITE\r\nContact: <{self.uri}>\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(self._hold)}\r\n\r\n"
        ).encode() + self._hold


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "calls.csv").open(newline="") as file:
        return list(csv.DictReader(file))


NO_DIGITS: Final = {
    "sendonly": sdp(EVENTS + "a=sendonly\r\n"),
    "inactive": sdp(EVENTS + "a=inactive\r\n"),
    "address of RFC 2543": sdp(EVENTS, address="0.0.0.0"),
    "port 0": sdp(EVENTS.replace("audio 9", "audio 0")),
}


def test_the_hold_ends_calls_whose_digits_can_never_leave(tmp_path: Path) -> None:
    with BadPeer(list(NO_DIGITS.values())) as peer:
        begun = time.monotonic()
        plan = ["-m", str(len(NO_DIGITS)), "-r", "50", "-d", "1s", "--media", "silence", "--dtmf", "12"]
        main(["load", peer.uri, *plan, "--out", str(tmp_path), *WORKERS])
        assert time.monotonic() - begun < 15.0
    rows = rows_of(tmp_path)
    assert len(rows) == len(NO_DIGITS)
    names = list(NO_DIGITS)
    for row in rows:
        name = names[peer.number_of(row["id"])]
        assert (row["digits_sent"], row["ended_by"]) == ("0", "local"), name
        assert row["failure"] == "digits_not_sent", (name, row)
        assert 0.9 < float(row["duration"]) < 4.0, (name, row)


@pytest.mark.parametrize("hold", ["a=sendonly\r\n", "a=inactive\r\n"])
def test_a_hold_right_after_the_answer_does_not_keep_a_call_of_a_load(tmp_path: Path, hold: str) -> None:
    digits = "1234567890" * 3
    with BadPeer([sdp(EVENTS)], hold=sdp(EVENTS + hold, version=2)) as peer:
        plan = ["-m", "1", "-d", "2s", "--media", "silence", "--dtmf", digits]
        main(["load", peer.uri, *plan, "--out", str(tmp_path), *WORKERS])
    (row,) = rows_of(tmp_path)
    assert int(row["digits_sent"]) < len(digits)
    assert float(row["duration"]) < 5.0


def test_a_load_without_a_way_for_digits_holds_its_calls_as_planned(tmp_path: Path) -> None:
    wideband = sdp("m=audio 9 RTP/AVP 96\r\na=rtpmap:96 L16/8000\r\n")
    with BadPeer([wideband] * 2) as peer:
        plan = ["-m", "2", "-r", "50", "-d", "1s", "--media", "silence", "--dtmf", "12", "--codec", "l16"]
        main(["load", peer.uri, *plan, "--out", str(tmp_path), *WORKERS])
    for row in rows_of(tmp_path):
        assert row["digits_sent"] == "0"
        assert 0.9 < float(row["duration"]) < 4.0


def test_the_ring_time_ends_calls_of_a_load_to_a_peer_that_says_nothing(tmp_path: Path) -> None:
    with BadPeer(silent=True) as peer:
        begun = time.monotonic()
        plan = ["-m", "3", "-r", "20", "--ring-time", "1s"]
        assert main(["load", peer.uri, *plan, "--out", str(tmp_path), *WORKERS]) in (1, 98)
        assert time.monotonic() - begun < 15.0
    assert [row["outcome"] for row in rows_of(tmp_path)] == ["timeout"] * 3
    assert set(peer.methods) == {"INVITE"}


def test_the_ring_time_ends_a_call_to_a_peer_that_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with BadPeer(silent=True) as peer:
        begun = time.monotonic()
        assert main(["call", peer.uri, "--ring-time", "1s", "--quiet"]) == 1
        assert time.monotonic() - begun < 10.0
    assert "not answered" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["load", "call"])
def test_an_answer_after_the_ring_time_gets_its_ack_and_a_bye(tmp_path: Path, verb: str) -> None:
    plan = {"load": ["-m", "1", "--out", str(tmp_path), *WORKERS], "call": ["--quiet"]}[verb]
    with BadPeer([sdp(EVENTS)], late=2.0) as peer:
        main([verb, peer.uri, "--ring-time", "1s", *plan])
        wait_until(lambda: "BYE" in peer.methods, 10, "what the peer still has to read")
    assert peer.methods[-2:] == ["ACK", "BYE"]


def test_call_with_digits_that_cannot_leave_says_so_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with BadPeer([NO_DIGITS["sendonly"]]) as peer:
        assert main(["call", peer.uri, "--dtmf", "12", "-d", "1s", "--quiet"]) == 1
    out = capsys.readouterr().out
    assert "--dtmf: digits were not sent: the peer lets us send nothing now" in out
    assert re.search(r"ended by local after [1-4]\.", out), out


@pytest.mark.parametrize(
    ("bye", "why"),
    [(481, "refused with 481"), (500, "refused with 500"), pytest.param(0, "not answered", marks=pytest.mark.slow)],
)
def test_a_call_whose_bye_is_not_confirmed_is_1_and_says_so(
    bye: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with BadPeer([sdp(EVENTS)], bye=bye) as peer:
        assert main(["call", peer.uri, "-d", "300ms", "--quiet"]) == 1
    assert f"not closed: our BYE was {why}" in capsys.readouterr().out


def test_rows_of_calls_that_nobody_answers_have_their_end_and_count_as_live(tmp_path: Path) -> None:
    with BadPeer(silent=True) as peer:
        plan = ["-m", "4", "-r", "100", "--ring-time", "1s"]
        assert main(["load", peer.uri, *plan, "--out", str(tmp_path), *WORKERS]) in (1, 98)
    rows = rows_of(tmp_path)
    assert [0.9 < float(row["end"]) - float(row["start"]) < 8.0 for row in rows] == [True] * 4, rows
    assert json.loads((tmp_path / "summary.json").read_text())["calls"]["max_concurrent"] == 4


def run_api(peer: BadPeer, body: Callable[[UserAgent, str], Awaitable[None]]) -> None:
    async def with_agent() -> None:
        async with asyncio.timeout(30), agent() as ua:
            await body(ua, peer.uri)

    with peer:
        asyncio.run(with_agent())


@pytest.mark.parametrize("name", [name for name in NO_DIGITS if name != "port 0"])  # there no call comes about
def test_dtmf_of_the_api_has_an_end_and_says_why(name: str) -> None:
    async def body(ua: UserAgent, to: str) -> None:
        call = await ua.invite(to, media="silence")
        with pytest.raises(CallError, match=r"digits were not sent|not all digits were sent|the call is over"):
            await call.dtmf("12")
        assert call.digits_sent == ""
        await call.bye()

    run_api(BadPeer([NO_DIGITS[name]]), body)


def test_digits_that_a_hold_stops_do_not_leave_later() -> None:
    async def body(ua: UserAgent, to: str) -> None:
        call: Call = await ua.invite(to, media="silence")
        with pytest.raises(CallError, match="the peer holds the call"):
            await call.dtmf("1234567890", duration=200)
        await until(lambda: not call.keypad.sending)  # the stream has said what was out
        assert "1234567890".startswith(call.digits_sent)
        assert call.digits_sent != "1234567890"
        await call.bye()

    run_api(BadPeer([sdp(EVENTS)], hold=sdp(EVENTS + "a=inactive\r\n", version=2)), body)


def test_requests_for_digits_wait_for_those_before_them() -> None:
    async def body(ua: UserAgent, to: str) -> None:
        call: Call = await ua.invite(to, media="silence")
        await asyncio.gather(call.dtmf("1" * 20), call.dtmf("2"), call.dtmf("3"))
        assert sorted(call.digits_sent) == sorted("1" * 20 + "23")
        await call.bye()

    run_api(BadPeer([sdp(EVENTS)]), body)


def test_the_ring_time_of_the_api_needs_no_1xx() -> None:
    async def body(ua: UserAgent, to: str) -> None:
        begun = time.monotonic()
        with pytest.raises(CallTimeout):
            await ua.invite(to, ring_time=0.5)
        assert time.monotonic() - begun < 5.0

    run_api(BadPeer(silent=True), body)


def test_a_transfer_of_which_the_peer_will_not_report_has_an_end() -> None:
    async def main_() -> None:
        def answer(request: Request) -> list[Response]:
            if request.method == "ACK":
                return []
            extra = (("Refer-Sub", "false"),) if request.method == "REFER" else ()
            return [reply(request, 200, *extra, peer=peer)]

        async with asyncio.timeout(20), Peer(answer) as peer, agent() as ua:
            call = await ua.invite(peer.uri())
            await call.transfer("sip:carol@127.0.0.1")
            await call.bye()

    asyncio.run(main_())


NEVER_RETURNS: Final = {
    "waits for nothing": "await asyncio.Event().wait()",
    "waits for the peer": "await (await ua.invite(ua.target)).over()",
    "waits for digits": "await (await ua.invite(ua.target, media='silence')).digits(4)",
    "ignores its cancellation": """while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass""",
}


@pytest.fixture
def scenario(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    file = tmp_path / "endless.py"
    file.write_text(f"import asyncio\n\n\nasync def scenario(ua, row):\n    {request.param}\n")
    return str(file)


@pytest.mark.parametrize("scenario", list(NEVER_RETURNS.values()), ids=list(NEVER_RETURNS), indirect=True)
def test_a_scenario_that_does_not_return_is_cancelled_and_has_failed(tmp_path: Path, scenario: str) -> None:
    out = tmp_path / "out"
    with BadPeer([sdp(EVENTS)] * 2) as peer:
        begun = time.monotonic()
        plan = ["-m", "2", "-r", "50", "--scenario", scenario, "--run-time", "1s", "--out", str(out)]
        assert main(["load", peer.uri, *plan, *WORKERS]) in (107, 98)
        assert time.monotonic() - begun < 20.0
    assert [row["failure"] for row in rows_of(out)] == ["run_time", "run_time"]


ENDS_OF_SETUPS = {
    "def setup(ua):\n    raise ValueError('no users')\n": "failed at line 2: ValueError: no users",
    "def setup(ua):\n    raise CancelledError\n": "failed at line 2: CancelledError",
    "async def setup(ua):\n    raise CancelledError\n": "failed at line 2: CancelledError",
}


@pytest.mark.parametrize("setup", ENDS_OF_SETUPS)
def test_a_setup_that_fails_ends_the_run_by_name(setup: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "broken.py"
    file.write_text(f"{setup}\n\nasync def scenario(ua, row):\n    pass\n\n\nfrom asyncio import CancelledError\n")
    with BadPeer(silent=True) as peer:
        plan = ["-m", "1", "--scenario", str(file), "--out", str(tmp_path / "out")]
        assert main(["load", peer.uri, *plan, *WORKERS]) == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["exit_code"] == 1
    assert ENDS_OF_SETUPS[setup] in capfd.readouterr().out


def accepts_and_reads_nothing(listener: socket.socket) -> list[socket.socket]:
    return [listener.accept()[0]]


def resets(listener: socket.socket) -> list[socket.socket]:
    while True:
        accepted, _ = listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()


def takes_no_connection(listener: socket.socket) -> list[socket.socket]:
    """A full backlog: the kernel drops every further SYN."""
    waiting = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        with suppress(BlockingIOError):
            filler.connect(listener.getsockname())
        waiting.append(filler)
    return waiting


@pytest.mark.parametrize("peer", [accepts_and_reads_nothing, resets, takes_no_connection])
def test_a_tcp_peer_that_does_not_take_part_keeps_no_run(
    tmp_path: Path, peer: Callable[[socket.socket], list[socket.socket]]
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        opened: list[socket.socket] = []

        def take_part() -> None:
            with suppress(OSError):
                opened.extend(peer(listener))

        thread = threading.Thread(target=take_part, daemon=True)
        thread.start()
        begun = time.monotonic()
        target = f"sip:peer@127.0.0.1:{listener.getsockname()[1]};transport=tcp"
        plan = ["-m", "2", "-r", "20", "-d", "1s", "--ring-time", "1s", "--out", str(tmp_path)]
        assert main(["load", target, *plan, *WORKERS]) in (1, 97, 98)
        assert time.monotonic() - begun < 20.0
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5.0)
        for each in opened:
            each.close()
    assert {row["outcome"] for row in rows_of(tmp_path)} <= {"timeout", "transport_error"}
    assert len(rows_of(tmp_path)) == 2
