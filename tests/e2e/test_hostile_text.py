"""Text of peers in any octets, in real processes: it touches its own call only, and every figure and file stands."""

import csv
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.test_call_records import records_in
from tests.e2e.test_command_line import SECONDS, Running, scraped, summary_of, was

TWO_WORKERS = ["--call-workers", "2", "--media-workers", "1"]
SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"


def response_to(request: bytes, status: bytes) -> bytes:
    """A response, by hand. status: what stands behind the version."""
    copied = re.findall(rb"(?m)^(?:Via|From|To|Call-ID|CSeq):[^\r]*", request)
    lines = [each + b";tag=x" if each.startswith(b"To") and b"tag=" not in each else each for each in copied]
    return b"\r\n".join((b"SIP/2.0 " + status, *lines, b"Content-Length: 0")) + b"\r\n\r\n"


class Caller:
    """A UDP socket that places calls by hand, one after the other."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(SECONDS)
        host, _, port = address.rpartition(":")
        self._peer = (host, int(port))
        self._number = 0
        self._refused = False

    def request(self, method: bytes, call_id: bytes, name: bytes, tag: bytes, *lines: bytes, body: bytes = b"") -> None:
        if method != b"ACK" or not self._refused:  # the ACK to a refusal is of its INVITE's transaction: 17.1.1.3
            self._number += 1
        port = self.socket.getsockname()[1]
        head = [
            b"%s sip:robot@127.0.0.1 SIP/2.0" % method,
            b"Via: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%d;rport" % (port, self._number),
            b"Max-Forwards: 70",
            b"From: %s <sip:caller@127.0.0.1>;tag=one" % name,
            b"To: <sip:robot@127.0.0.1>" + tag,
            b"Call-ID: " + call_id,
            b"CSeq: %d %s" % ({b"BYE": 2}.get(method, 1), method),
            b"Contact: <sip:caller@127.0.0.1:%d>" % port,
            *lines,
            b"Content-Length: %d" % len(body),
        ]
        self.socket.sendto(b"\r\n".join(head) + b"\r\n\r\n" + body, self._peer)

    def final(self) -> bytes:
        """The final response to the last request; answers to others, sent again by now, are passed over."""
        while True:
            data = self.socket.recv(65536)
            if data.startswith(b"BYE"):
                self.socket.sendto(response_to(data, b"200 OK"), self._peer)
                continue
            if b";branch=z9hG4bK%d;" % self._number in data and data[8:9] != b"1":
                self._refused = data[8:9] != b"2"
                return data

    def call(self, call_id: bytes, name: bytes = b"", *lines: bytes, hold: float = 0.0) -> int:
        """A whole call; the status of its INVITE."""
        self.request(b"INVITE", call_id, name, b"", *lines, b"Content-Type: application/sdp", body=SDP)
        answer = self.final()
        tag = re.search(rb"\r\nTo: [^\r]*(;tag=[^;\r]*)", answer)
        self.request(b"ACK", call_id, name, tag[1] if tag else b"")
        if answer[8:9] == b"2":
            assert tag is not None
            time.sleep(hold)
            self.request(b"BYE", call_id, name, tag[1])
            assert self.final()[8:11] == b"200"
        return int(answer[8:11])

    def warm_up(self) -> None:
        """Call until the robots of all workers are there: before, they refuse with 480."""
        number, good = 0, 0
        while good < 8:
            number += 1
            assert number < 1000
            good = good + 1 if self.call(b"warm-%d" % number, b'"warm"') == 200 else 0


@contextmanager
def running(*arguments: str) -> Iterator[tuple[Running, str, str]]:
    """A verb that answers: the process, its address, its metrics' URL."""
    process = Running(*arguments, "--listen", "udp:127.0.0.1:0", "--metrics", "0")
    try:
        yield process, process.line().removeprefix("listening on udp:"), process.line().removeprefix("metrics on ")
    finally:
        process.close()


@contextmanager
def refusing(status: bytes) -> Iterator[str]:
    """A UAS that refuses each INVITE with these octets behind the version; its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    data, source = line.recvfrom(65536)
                except TimeoutError:
                    continue
                if data.startswith(b"INVITE"):
                    line.sendto(response_to(data, status), source)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{line.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


CALL_IDS = [
    b"b\xe9@b",
    b"\xff\xfe\xc0\x80@b",
    b"\xed\xa0\x80@b",  # half of a surrogate pair
    b"x\x00@b",
    b"\x1b]0;owned\x07@b",
    "\u202e\ufffe@b".encode(),
    b"<script>alert(1)</script>",
    b"=cmd|' /C calc'!A0",
    b"]]>%s{0}\\x00",
    b"y" * 5000,
]


def test_a_call_id_of_any_octets_costs_no_other_call_its_record(tmp_path: Path) -> None:
    records = tmp_path / "cdr"
    with running("answer", "--media", "silence", "--cdr", str(records), *TWO_WORKERS) as (process, address, url):
        caller = Caller(address)
        statuses = {}
        with closing(caller.socket):
            for number, call_id in enumerate(CALL_IDS):
                assert caller.call(b"before-%d@a" % number) == 200
                statuses[call_id] = caller.call(call_id)
                assert caller.call(b"after-%d@a" % number) == 200
        assert set(statuses.values()) <= {200, 400}
        assert statuses[b"b\xe9@b"] in (200, 400)
        figures = scraped(url)
        code, errors = process.end(signal.SIGTERM)
    assert (code, errors.count("Traceback"), "\x1b" in errors) == (0, 0, False), errors
    found = [record["id"] for record in records_in(records)]
    good = {f"{when}-{number}@a" for when in ("before", "after") for number in range(len(CALL_IDS))}
    assert good <= set(found)
    assert len(found) == len(good) + list(statuses.values()).count(200)
    assert all(each.isprintable() for each in found)
    if statuses[b"b\xe9@b"] == 200:
        assert "b\\xe9@b" in found
    dropped = {key: value for key, value in figures.items() if key[0].endswith("_dropped_total") and value}
    assert dropped == {}


LOSES = """
async def robot(call):
    await call.answer()
    if "lost" in call.call_id:
        call.actor.answer_status = 1 << 70  # its row cannot be sent
    await call.over()
"""


def test_a_record_that_is_lost_makes_the_exit_code_1_with_the_number(tmp_path: Path) -> None:
    (tmp_path / "robot.py").write_text(LOSES)
    records = tmp_path / "cdr"
    robot = f"{tmp_path / 'robot.py'}:robot"
    with running("robot", robot, "--cdr", str(records), *TWO_WORKERS) as (process, address, _url):
        caller = Caller(address)
        with closing(caller.socket):
            caller.warm_up()
            for call_id in (b"1", b"lost-1", b"2", b"lost-2", b"3"):
                assert caller.call(call_id, hold=0.3) == 200
        code, errors = process.end(signal.SIGTERM)
    assert (code, f"--cdr {records} lacks 2 records; the log says why" in errors) == (1, True), errors
    assert "a CallFinished could not be sent on the control link and is left out" in errors
    found = {record["id"] for record in records_in(records)}
    assert {each for each in found if not each.startswith("warm")} == {"1", "2", "3"}


SCENARIO = """
from itertools import count
from sipswarm import CallRejected

numbers = count()

async def expects_404(ua, row):
    try:
        await ua.invite(ua.target)
    except CallRejected as refused:
        assert refused.status == 404, f"refused with {refused}"

async def loses(ua, row):
    call = await ua.invite(ua.target)
    if next(numbers) == 1:
        call.actor.answer_status = 1 << 70  # its row cannot be sent
    await call.bye()
"""


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        (b"486 Occup\xe9", "refused with 486 Occup\\xe9"),
        (b"486 \x1b[2J\x07\xff", "refused with 486 \\x1b[2J\\x07\\xff"),
        (b"486 " + b"z" * 900, None),
    ],
)
def test_a_load_at_a_peer_with_such_a_reason_ends_with_1_and_the_name(
    tmp_path: Path, reason: bytes, failure: str | None
) -> None:
    (tmp_path / "scenario.py").write_text(SCENARIO)
    out = tmp_path / "out"
    with refusing(reason) as address:
        scenario = f"{tmp_path / 'scenario.py'}:expects_404"
        options = ["--scenario", scenario, "-m", "3", "--out", str(out), "--metrics", "off", "--quiet"]
        load = Running("load", address, *options, "--cdr", str(tmp_path / "cdr"), *TWO_WORKERS)
        try:
            code, errors = load.end()
            output = [load.line() for _ in range(load._lines.qsize())]
        finally:
            load.close()
    assert was(code, 1), (errors, output)
    assert "UnicodeEncodeError" not in errors
    rows = list(csv.DictReader((out / "calls.csv").read_text().splitlines()))
    names = {row["failure"] for row in rows}
    assert (len(rows), len(names)) == (3, 1)
    name = names.pop()
    assert failure is None or name == failure
    assert len(name) <= 200
    if failure is None:
        assert name.endswith("more characters)")
    assert f"  3 missed: {name}" in output
    assert summary_of(out)["calls"]["failed"] == 3
    assert [record["failure"] for record in records_in(tmp_path / "cdr")] == [name] * 3
    for file in ("junit.xml", "report.html"):
        text = (out / file).read_bytes().decode()
        assert [each for each in text if not each.isprintable() and each != "\n"] == []
    ladders = list(out.glob("failures/*/ladder.txt"))
    assert len(ladders) == 3
    assert all(f"missed: {name};" in each.read_text() for each in ladders)


def test_a_load_that_lost_a_record_is_not_passed_whatever_its_thresholds_say(tmp_path: Path) -> None:
    (tmp_path / "scenario.py").write_text(SCENARIO)
    out = tmp_path / "out"
    with running("answer", "--media", "silence", *TWO_WORKERS) as (_, address, _):
        options = ["--scenario", f"{tmp_path / 'scenario.py'}:loses", "-m", "4", "--out", str(out), "--metrics", "off"]
        load = Running("load", address, *options, "--threshold", "answered>=0.5", "--call-workers", "1")
        try:
            code, errors = load.end()
        finally:
            load.close()
    assert code == 98, errors
    assert summary_of(out)["verdict"] == "untrustworthy"
    with (out / "calls.csv").open(newline="") as file:
        assert sorted(row["failure"] for row in csv.DictReader(file)) == ["", "", "", "worker_lost"]


def test_the_terminal_of_a_call_shows_the_reason_and_obeys_none_of_it() -> None:
    with refusing(b"486 Occup\xe9 \x1b[2J\x1b]0;owned\x07") as address:
        call = Running("call", address)
        try:
            code, errors = call.end()
            output = call.line()
        finally:
            call.close()
    assert (code, output) == (1, "refused: 486 Occup\\xe9 \\x1b[2J\\x1b]0;owned\\x07")
    assert "486 Occup\\xe9" in errors  # the ladder
    assert "\x1b" not in errors


RECORDS = """
import re

async def robot(call):
    name = re.search('"(.*)"', call.invite_request.headers.get("From"))[1]
    await call.answer()
    call.record(f"{folder}/{name}.raw")
    await call.over()
"""


def test_a_recording_has_the_name_of_its_caller_or_is_refused_to_that_call_alone(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (tmp_path / "robot.py").write_text(f"folder = {str(folder)!r}\n{RECORDS}")
    names = {
        b"J\xf6rg": "J\udcf6rg.raw",
        "J\u00f6rg \U0001f600".encode(): "J\u00f6rg \U0001f600.raw",
        b"\x1b[2J": "\x1b[2J.raw",
        b"n" * 300: None,
        b"no/such/folder": None,
        b"last": "last.raw",
    }
    records = tmp_path / "cdr"
    robot = f"{tmp_path / 'robot.py'}:robot"
    with running("robot", robot, "--cdr", str(records), *TWO_WORKERS) as (process, address, _url):
        caller = Caller(address)
        with closing(caller.socket):
            caller.warm_up()
            for number, name in enumerate(names):
                assert caller.call(b"%d@a" % number, b'"%s"' % name, hold=0.3) == 200
        code, errors = process.end(signal.SIGTERM)
    assert code == 0, errors
    assert "Exception in callback" not in errors
    assert "\x1b" not in errors
    made = {each.name for each in folder.iterdir()} - {"warm.raw"}
    assert made == {each for each in names.values() if each is not None}
    failures = {each["id"]: each["failure"] for each in records_in(records) if not each["id"].startswith("warm")}
    assert failures == {"0@a": "", "1@a": "", "2@a": "", "3@a": "scenario_error", "4@a": "media_refused", "5@a": ""}
    assert "is longer than 255 octets" in errors
    assert "SetSink was refused: no_file: " in errors


def test_replaces_with_such_octets_is_481_whichever_worker_owns_the_dialog(tmp_path: Path) -> None:
    with running("answer", "--media", "silence", *TWO_WORKERS) as (process, address, _url):
        caller = Caller(address)
        with closing(caller.socket):
            for number in range(8):
                for name in (b"x\xe9%d", b"\xff\xfe%d", b"y%d"):
                    header = b"Replaces: %s;to-tag=t\xe9;from-tag=f\xff" % (name % number)
                    assert caller.call(b"new-%d-%s" % (number, name[:1].hex().encode()), b"", header) in (400, 481)
                    assert caller.call(b"Join-%d-%s" % (number, name[:1].hex().encode()), b"", b"Join: " + name % 1)
            assert caller.call(b"plain") == 200
        code, errors = process.end(signal.SIGTERM)
    assert (code, errors.count("Traceback")) == (0, 0), errors


ODD = {
    "display name": (b'"J\xf6rg \xff"', ()),
    "header": (b"", (b"X-Any: \xe9\xff\x1b[2J",)),
    "subject": (b"", (b"Subject: =cmd|' /C calc'!A0 \xe9",)),
    "user agent": (b"", (b"User-Agent: \xc3\x28 \xed\xa0\x80",)),
    "reason": (b"", (b'Reason: Q.850;cause=16;text="\xe9"',)),
    "record route": (b"", (b"Record-Route: <sip:p\xe9@127.0.0.1;lr>",)),
}


def test_any_octets_elsewhere_work_or_are_refused_for_that_call_only() -> None:
    with running("answer", "--media", "silence", *TWO_WORKERS) as (process, address, _):
        caller = Caller(address)
        with closing(caller.socket):
            for number, (name, lines) in enumerate(ODD.values()):
                for turn in range(2):
                    assert caller.call(b"%d-%d@a" % (number, turn), name, *lines) in (200, 400)
                assert caller.call(b"plain-%d" % number) == 200
        code, errors = process.end(signal.SIGTERM)
    assert (code, errors.count("Traceback"), "\x1b" in errors) == (0, 0, False), errors
