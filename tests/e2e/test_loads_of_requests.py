"""Loads whose arrivals are no calls: OPTIONS, MESSAGE, registrations and subscriptions, counted at the peer."""

import asyncio
import csv
import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.cli import main
from sipswarm.sipcore.auth.digest_server import DigestServer
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from tests.e2e.agents import Peer, reply
from tests.e2e.counting_uas import CountingUas
from tests.e2e.in_thread import InThread
from tests.e2e.test_command_line import SECONDS, WORKERS, Running, was
from tests.e2e.test_lost_workers import kill, results
from tests.interop.processes import wait_until

QUIET = ["--quiet", "--metrics", "off", "--media-workers", "1"]
ROBOT = """
async def robot(call):
    await call.answer()


def setup(ua):
    async def message(request):
        return 200 if request.body.startswith(b"text ") else 400

    ua.on_request("MESSAGE", message)
"""


def load(target: str, out: Path, options: str, *more: str) -> tuple[int, dict[str, Any], list[dict[str, str]]]:
    """Run a load; its exit code, summary and rows.

    options: words separated by spaces.
    """
    code = main(["load", target, *options.split(), *more, *QUIET, "--out", str(out)])
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return code, summary, list(csv.DictReader((out / "calls.csv").read_text().splitlines()))


def data(tmp_path: Path, columns: str, rows: Sequence[str]) -> list[str]:
    """The options of a file of rows."""
    file = tmp_path / "rows.csv"
    file.write_text("\n".join([columns, *rows]) + "\n")
    return ["--data", str(file)]


def failures(summary: Mapping[str, Any]) -> dict[str, int]:
    return {each["reason"]: each["calls"] for each in summary["failures"]}


# ---- OPTIONS


@pytest.mark.parametrize("workers", [1, 2])
def test_each_options_is_a_row_and_the_peer_counts_the_same(
    tmp_path: Path, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with InThread(Peer(lambda request: [reply(request, 200)])) as peer:
        code, summary, rows = load(
            peer.uri("trunk"),
            tmp_path,
            f"--method options -m 40 -r 80 --call-workers {workers}",
            *("--threshold", "answered>=1", "--threshold", "answer_delay.p99<5"),
        )
    said = capsys.readouterr().out
    assert was(code, 0), said
    assert Counter(peer.methods()) == {"OPTIONS": 40}
    assert len({request.call_id for request in peer.requests}) == 40
    assert {request.uri for request in peer.requests} == {peer.uri("trunk")}
    assert summary["arrivals"] == summary["arrivals"] | {"of": "requests", "planned": 40, "started": 40}
    assert summary["calls"] == summary["calls"] | {"attempted": 40, "answered": 40, "completed": 40, "failed": 0}
    assert summary["calls"]["outcomes"] == {"answered": 40}
    assert summary["calls"]["codes"] == {"200": 40}
    assert summary["delays"]["answer"]["count"] == summary["delays"]["post_dial"]["count"] == 40
    assert {row["id"] for row in rows} == {request.call_id for request in peer.requests}
    assert {(row["scenario"], row["outcome"], row["code"], row["failure"], row["rtp_sent"]) for row in rows} == {
        ("options", "answered", "200", "", "0")
    }
    assert all(float(row["post_dial_delay"]) == float(row["answer_delay"]) >= 0 for row in rows)
    assert all(float(row["lateness"]) >= 0 for row in rows)
    assert "requests: planned 40, attempted 40, answered 40" in said
    assert "media:" not in said
    page = (tmp_path / "report.html").read_text()
    assert "<h1>Requests to " in page
    assert "MOS" not in page


def test_refusals_fail_by_their_code_and_one_can_be_expected(tmp_path: Path) -> None:
    def answer(request: Request) -> Sequence[Response]:
        return [reply(request, 503 if request.uri.startswith("sip:full@") else 486)]

    with InThread(Peer(answer)) as peer:
        code, summary, rows = load(peer.uri("full"), tmp_path / "full", "--method options -m 6 -r 60", *WORKERS[:2])
        assert was(code, 1), summary
        expected, passed, _ = load(
            peer.uri("busy"), tmp_path / "busy", "--method options -m 6 -r 60 --expect-code 486", *WORKERS[:2]
        )
    assert failures(summary) == {"code": 6}
    assert {(row["outcome"], row["code"], row["blame"]) for row in rows} == {("server_error", "503", "sut")}
    assert was(expected, 0), passed
    assert passed["calls"]["outcomes"] == {"busy": 6}
    ladders = list((tmp_path / "full" / "failures").glob("*/ladder.txt"))
    assert len(ladders) == 6
    assert all("OPTIONS" in each.read_text() and "503" in each.read_text() for each in ladders)


def test_silence_is_a_timeout(tmp_path: Path) -> None:
    with InThread(Peer(lambda request: [])) as peer:
        code, summary, rows = load(peer.uri(), tmp_path, "--method options -m 4 -r 40 --timeout 700ms", *WORKERS[:2])
    assert was(code, 1), summary
    assert failures(summary) == {"timeout": 4}
    assert {(row["outcome"], row["code"], row["blame"]) for row in rows} == {("timeout", "", "sut")}
    assert summary["signalling"]["retransmissions"]["sent"]["OPTIONS"] >= 4


def test_a_port_where_nobody_listens_is_unreachable(tmp_path: Path) -> None:
    with InThread(Peer(lambda request: [])) as peer:
        gone = peer.uri()
    code, summary, rows = load(gone, tmp_path, "--method options -m 3 -r 30", *WORKERS[:2])
    assert was(code, 1), summary
    assert failures(summary) == {"unreachable": 3}
    assert {row["outcome"] for row in rows} == {"transport_error"}


def test_a_node_of_ours_answers_options(tmp_path: Path) -> None:
    running = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)
    try:
        address = running.line().removeprefix("listening on udp:")
        code, summary, _ = load(f"bob@{address}", tmp_path, "--method options -m 30 -r 100", *WORKERS[:2])
    finally:
        running.close()
    assert was(code, 0), summary
    assert summary["calls"]["codes"] == {"200": 30}


# ---- MESSAGE, and rows of data


def test_a_robot_takes_each_message(tmp_path: Path) -> None:
    (tmp_path / "robot.py").write_text(ROBOT)
    rows = data(tmp_path, "body", [f"text {number}" for number in range(9)] + ["nonsense"])
    listen = ["--listen", "udp:127.0.0.1:0", "--metrics", "off"]
    running = Running("robot", str(tmp_path / "robot.py"), *listen, "--call-workers", "2", "--media-workers", "1")
    try:
        address = running.line().removeprefix("listening on udp:")
        code, summary, _ = load(f"bob@{address}", tmp_path, "--method message -m 30 -r 60 --call-workers 2", *rows)
    finally:
        running.close()
    assert was(code, 1), summary
    assert summary["calls"]["codes"] == {"200": 27, "400": 3}


@pytest.mark.parametrize("shards", [1, 2])
def test_each_row_is_a_party_of_its_own(tmp_path: Path, shards: int) -> None:
    rows = data(
        tmp_path,
        "from,to,header:X-Team,body",
        ["alice,sales,red,one", "sip:bob@example.org,,,two", ",sip:fax@example.net,blue,"],
    )
    with InThread(Peer(lambda request: [reply(request, 202)])) as peer:
        for shard in range(1, shards + 1):
            options = f"--method message -m 6 -r 60 --body three --shard {shard}/{shards} --from sip:me@example.com"
            code, summary, _ = load(peer.uri("desk"), tmp_path / str(shard), options, *rows, *WORKERS[:2])
            assert was(code, 0), summary
    came = Counter(
        (
            str(request.from_.uri),
            request.uri,
            request.headers.get("X-Team"),
            request.body.decode(),
            request.content_type,
        )
        for request in peer.requests
    )
    port = peer.port
    assert came == {
        ("sip:alice@example.com", f"sip:sales@127.0.0.1:{port}", "red", "one", "text/plain"): 2,
        ("sip:bob@example.org", f"sip:desk@127.0.0.1:{port}", None, "two", "text/plain"): 2,
        ("sip:me@example.com", "sip:fax@example.net", "blue", "three", "text/plain"): 2,
    }


def test_calls_have_a_row_each_without_any_code(tmp_path: Path) -> None:
    rows = data(tmp_path, "from,to", [f"caller{number},user{number}" for number in range(5)])
    with CountingUas() as uas:
        code, summary, found = load(f"bob@{uas.address}", tmp_path, "-m 10 -r 40 --call-workers 2", *rows)
    assert was(code, 0), summary
    assert Counter(uas.users) == {f"user{number}": 2 for number in range(5)}
    assert Counter(row["data_line"] for row in found) == {str(line): 2 for line in range(2, 7)}


# ---- registrations


class Home(Peer):
    """A registrar that challenges each REGISTER and keeps what is bound; `refuses` may refuse an authorized one."""

    def __init__(
        self,
        passwords: Mapping[str, str],
        refuses: Callable[[str, int, int], int] = lambda user, seconds, before: 0,
        most: int = 600,
    ) -> None:
        super().__init__(self._take)
        self._passwords = passwords
        self._refuses = refuses
        self._most = most
        self._server = DigestServer(os.urandom(16), "test", Tokens(os.urandom), window=1)
        self.bound: dict[str, str] = {}
        """User -> Contact."""
        self.at_most = 0
        self.granted: list[tuple[str, int]] = []
        """User and seconds, of each REGISTER that was granted; 0 = a removal."""

    def _take(self, request: Request) -> Sequence[Response]:
        now = asyncio.get_running_loop().time()
        verdict = self._server.verify(request, self._passwords.get, now)
        if not verdict.ok:
            status, headers = self._server.refusal(verdict, now)
            return [reply(request, status, *headers)]
        user, contact = request.to.uri.user or "", str(request.contacts[0].uri)
        seconds = min(self._most, request.expires or 0)
        refused = self._refuses(user, seconds, sum(each == user for each, _ in self.granted))
        if refused:
            return [reply(request, refused)]
        self.granted.append((user, seconds))
        if not seconds:
            self.bound.pop(user, None)
            return [reply(request, 200)]
        self.bound[user] = contact
        self.at_most = max(self.at_most, len(self.bound))
        return [reply(request, 200, ("Contact", f"<{contact}>;expires={seconds}"))]


USERS = {f"user{number}": f"secret{number}" for number in range(20)}


def users(tmp_path: Path, passwords: Mapping[str, str] = USERS) -> list[str]:
    return data(tmp_path, "from,user,password", [f"{user},{user},{word}" for user, word in passwords.items()])


def host_of(peer: Peer) -> str:
    return f"sip:127.0.0.1:{peer.port}"


@pytest.mark.parametrize("workers", [1, 2])
def test_all_users_of_the_data_are_registered_and_removed(tmp_path: Path, workers: int) -> None:
    with InThread(Home(USERS)) as home:
        code, summary, rows = load(
            host_of(home),
            tmp_path,
            f"--method register -m 20 -r 100 --call-workers {workers} --threshold disconnect_delay.max<5",
            *users(tmp_path),
        )
    assert was(code, 0), summary
    assert (home.at_most > 10, home.bound) == (True, {})
    assert Counter(home.granted) == {(user, seconds): 1 for user in USERS for seconds in (600, 0)}
    assert summary["arrivals"]["of"] == "registrations"
    assert summary["calls"] == summary["calls"] | {"attempted": 20, "answered": 20, "completed": 20, "failed": 0}
    assert {(row["scenario"], row["code"], row["closed"], row["ended_by"]) for row in rows} == {
        ("register", "200", "confirmed", "local")
    }
    assert all(float(row["duration"]) >= 0 and float(row["disconnect_delay"]) >= 0 for row in rows)
    assert sorted(int(row["data_line"]) for row in rows) == list(range(2, 22))


def test_a_registration_is_kept_refreshed_for_its_hold(tmp_path: Path) -> None:
    with InThread(Home(USERS, most=2)) as home:
        code, summary, rows = load(
            host_of(home),
            tmp_path,
            "--method register -m 5 -r 50 -d 2500ms --expires 60",
            *users(tmp_path),
            *WORKERS[:2],
        )
    assert was(code, 0), summary
    grants = Counter(user for user, seconds in home.granted if seconds)
    assert len(grants) == 5
    assert all(count >= 2 for count in grants.values()), "2 s were granted, so that a refresh was due within the hold"
    assert all(float(row["duration"]) >= 2.45 for row in rows)
    assert home.bound == {}


def test_wrong_and_missing_passwords_are_told_apart(tmp_path: Path) -> None:
    wrong = {**USERS, "user3": "wrong", "user7": "wrong"}
    with InThread(Home(USERS)) as home:
        code, summary, rows = load(
            host_of(home), tmp_path / "wrong", "--method register -m 20 -r 100", *users(tmp_path, wrong), *WORKERS[:2]
        )
        assert was(code, 1), summary
        assert failures(summary) == {"credentials_refused": 2}
        refused = [row for row in rows if row["failure"] == "credentials_refused"]
        named = [(row["code"], row["blame"], row["data_line"]) for row in refused]
        assert sorted(named) == [("401", "sut", "5"), ("401", "sut", "9")], "the lines of user3 and user7"
        code, summary, _ = load(
            f"sip:user1@127.0.0.1:{home.port}", tmp_path / "none", "--method register -m 2 -r 40", *WORKERS[:2]
        )
        assert was(code, 107), summary
        assert failures(summary) == {"no_credentials": 2}
        expected, _, _ = load(
            f"sip:user1@127.0.0.1:{home.port}",
            tmp_path / "401",
            "--method register -m 2 --expect-code 401",
            *WORKERS[:2],
        )
    assert was(expected, 0)
    assert home.bound == {}


def test_a_refresh_that_is_refused_and_a_removal_that_is_refused_have_names(tmp_path: Path) -> None:
    def refuses(user: str, seconds: int, before: int) -> int:
        return {"user1": 403 if before else 0, "user2": 0 if seconds else 500}.get(user, 0)

    with InThread(Home(USERS, refuses, most=2)) as home:
        code, summary, rows = load(
            host_of(home), tmp_path, "--method register -m 4 -r 50 -d 2500ms", *users(tmp_path), *WORKERS[:2]
        )
    assert was(code, 1), summary
    assert failures(summary) == {"lapsed": 1, "removal_refused": 1}
    lapsed = next(row for row in rows if row["failure"] == "lapsed")
    assert (lapsed["outcome"], lapsed["ended_by"], lapsed["blame"]) == ("answered", "expired", "sut")
    assert float(lapsed["duration"]) < 2.0


def test_a_signal_removes_what_is_registered(tmp_path: Path) -> None:
    with InThread(Home(USERS)) as home:
        options = ["--method", "register", "-m", "20", "-r", "100", "-d", "60s", "--drain", "1s"]
        options += [*users(tmp_path), *WORKERS, *QUIET[:3]]
        running = Running("load", host_of(home), *options, "--out", str(tmp_path / "out"))
        try:
            wait_until(lambda: len(home.bound) == 20, SECONDS, "all users are registered")
            code, _ = running.end(signal.SIGTERM)
        finally:
            running.close()
        assert home.bound == {}
    assert code == 105
    rows = list(csv.DictReader((tmp_path / "out" / "calls.csv").read_text().splitlines()))
    assert {(row["outcome"], row["cause"], row["closed"], row["failure"]) for row in rows} == {
        ("answered", "drained", "confirmed", "")
    }
    assert len(rows) == 20


def test_an_early_end_removes_what_has_no_hold_and_the_run_is_judged(tmp_path: Path) -> None:
    with InThread(Home(USERS)) as home:
        options = ["--method", "register", "-m", "2000", "-r", "20", *users(tmp_path), *WORKERS, *QUIET[:3]]
        running = Running("load", host_of(home), *options, "--out", str(tmp_path / "out"))
        try:
            wait_until(lambda: len(home.bound) >= 10, SECONDS, "ten users are registered")
            code, said = running.end(signal.SIGUSR1)
        finally:
            running.close()
        assert home.bound == {}
    assert was(code, 0), said
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["calls"]["completed"] == summary["calls"]["attempted"] >= 10


def test_a_limit_holds_registrations_back(tmp_path: Path) -> None:
    with InThread(Home(USERS)) as home:
        code, summary, _ = load(
            host_of(home), tmp_path, "--method register -m 20 -r 100 -l 5 -d 2s", *users(tmp_path), *WORKERS[:2]
        )
    assert was(code, 0), summary
    assert home.at_most == 5
    assert summary["arrivals"] == summary["arrivals"] | {"planned": 20, "started": 5, "held_back": 15}
    assert summary["calls"]["max_concurrent"] == 5


@pytest.mark.parametrize("method", ["register", "options"])
def test_what_a_call_worker_took_with_it_is_named_and_the_load_goes_on(tmp_path: Path, method: str) -> None:
    def answer(request: Request) -> Sequence[Response]:
        return [reply(request, 200, *((("Expires", "60"),) if request.method == "REGISTER" else ()))]

    with InThread(Peer(answer)) as peer:
        options = ["--method", method, "-m", "90", "-r", "30", "--call-workers", "2", *QUIET]
        options += ["-d", "2s"] if method == "register" else []
        running = Running("load", f"sip:bob@127.0.0.1:{peer.port}", *options, "--out", str(tmp_path / "out"))
        try:
            wait_until(lambda: len(peer.requests) >= 20, SECONDS, "twenty requests")
            kill(running, "call-0")
            code, said = running.end()
        finally:
            running.close()
    assert code == 98, said
    summary, rows = results(tmp_path / "out")
    assert (len(rows), summary["arrivals"]["planned"], summary["arrivals"]["started"]) == (90, 90, 90)
    lost = [row for row in rows if row["failure"] == "worker_lost"]
    assert lost
    assert {row["scenario"] for row in rows} == {method}
    assert {row["outcome"] for row in rows if row not in lost} == {"answered"}


# ---- subscriptions


class Notifier(Peer):
    """Accepts each SUBSCRIBE and notifies at once; ends those of users in `ends` with their second NOTIFY."""

    def __init__(self, ends: Sequence[str] = ()) -> None:
        super().__init__(self._take)
        self._ends = ends
        self._cseq = 0
        self.live: set[str] = set()
        """Call-IDs."""
        self.at_most = 0

    def _take(self, request: Request) -> Sequence[Response]:
        expires = request.expires or 0
        (self.live.add if expires else self.live.discard)(request.call_id)
        self.at_most = max(self.at_most, len(self.live))
        loop = asyncio.get_running_loop()
        state = f"active;expires={expires}" if expires else "terminated;reason=timeout"
        loop.call_soon(partial(self._notify, request, state))
        if expires and request.request_uri.user in self._ends:
            loop.call_later(0.3, partial(self._notify, request, "terminated;reason=noresource"))
        return [reply(request, 200, ("Expires", str(expires)), ("Contact", f"<{self.uri()}>"))]

    def _notify(self, last: Request, state: str) -> None:
        self._cseq += 1
        pairs = [
            ("Via", f"SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{self._cseq};rport"),
            *[("From", f"<{self.uri()}>;tag=peer"), ("To", last.headers.get("From") or "")],
            *[("Call-ID", last.call_id), ("CSeq", f"{self._cseq} NOTIFY"), ("Contact", f"<{self.uri()}>")],
            *[("Event", last.headers.get("Event") or ""), ("Subscription-State", state), ("Max-Forwards", "70")],
        ]
        self.send_octets(Request.build("NOTIFY", str(last.contacts[0].uri), pairs, b"").to_bytes(), last)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Part of asyncio's protocol."""
        if isinstance(parse(data), Request):
            super().datagram_received(data, addr)


def test_subscriptions_are_notified_kept_and_ended(tmp_path: Path) -> None:
    with InThread(Notifier()) as notifier:
        code, summary, rows = load(
            notifier.uri("box"), tmp_path, "--method subscribe --event message-summary -m 12 -r 60 -d 1s", *WORKERS[:2]
        )
    assert was(code, 0), summary
    assert (notifier.live, notifier.at_most) == (set(), 12)
    assert {request.headers.get("Event") for request in notifier.requests} == {"message-summary"}
    assert summary["arrivals"]["of"] == "subscriptions"
    assert summary["calls"] == summary["calls"] | {"answered": 12, "completed": 12, "failed": 0}
    assert {(row["closed"], row["ended_by"]) for row in rows} == {("confirmed", "local")}
    assert all(float(row["duration"]) >= 0.95 for row in rows)


def test_a_state_is_fetched_once(tmp_path: Path) -> None:
    with InThread(Notifier()) as notifier:
        code, summary, rows = load(
            notifier.uri("box"), tmp_path, "--method subscribe --event presence -m 6 -r 60 --expires 0", *WORKERS[:2]
        )
    assert was(code, 0), summary
    assert notifier.methods() == ["SUBSCRIBE"] * 6
    assert {(row["outcome"], row["closed"], row["failure"]) for row in rows} == {("answered", "confirmed", "")}


def test_a_subscription_that_the_notifier_ends_has_lapsed_and_one_that_is_refused_has_its_code(tmp_path: Path) -> None:
    rows_of = data(tmp_path, "to", ["box", "gone"])
    with InThread(Notifier(ends=["gone"])) as notifier:
        code, summary, rows = load(
            notifier.uri(),
            tmp_path / "ended",
            "--method subscribe --event presence -m 6 -r 60 -d 1500ms",
            *rows_of,
            *WORKERS[:2],
        )
    assert was(code, 1), summary
    assert failures(summary) == {"lapsed": 3}
    assert {row["ended_by"] for row in rows if row["failure"]} == {"remote"}
    with InThread(Peer(lambda request: [reply(request, 489)])) as peer:
        code, summary, rows = load(
            peer.uri(), tmp_path / "refused", "--method subscribe --event presence -m 3 -r 60", *WORKERS[:2]
        )
    assert was(code, 1), summary
    assert {(row["outcome"], row["code"], row["failure"]) for row in rows} == {("refused", "489", "code")}


# ---- check


@pytest.mark.parametrize("method", ["options", "message --body hello", "register", "subscribe --event presence"])
def test_check_shows_the_first_request_and_sends_nothing(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "load", "sip:bob@127.0.0.1:9", "--method", *method.split(), "-m", "10"]) == 0
    said = capsys.readouterr().out
    name = method.partition(" ")[0].upper()
    assert f"the first {name}:" in said
    assert f"  {name} sip:" in said
    assert "INVITE" not in said.replace("Allow: ", "")
