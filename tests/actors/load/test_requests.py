"""Arrivals of a load that are no calls: their sides by rows of data, their results, and the pace of their removal."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from sipswarm.actors.bus.messages import CallFinished
from sipswarm.actors.call_worker.call_metrics import CallMetrics
from sipswarm.actors.config import LoadConfig
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.diagnosis.request_loss import Loss
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.host.roll import Roll
from sipswarm.actors.identity import Identity, Keyring
from sipswarm.actors.load.expectations import missed
from sipswarm.actors.load.requests.ends import RequestEnds, Result, Shown
from sipswarm.actors.load.requests.lasting import LAST_WAIT, Held, Lasting
from sipswarm.actors.load.requests.parties import Parties, Party
from sipswarm.actors.load.starter import Ended
from sipswarm.actors.runtime.actor_loop import ActorLoop
from tests.actors.refusals import challenge, response
from tests.actors.rows import REFUSED, ROW
from tests.actors.virtual_loop import VirtualLoop

OPTIONS = LoadConfig("sip:desk@192.0.2.7", method="options")
OWN = Identity("sip:me@example.com", headers=(("X-All", "1"),), credentials=Keyring(("me", "word")))


def parties(tmp_path: Path, text: str, method: str = "message", servers: tuple[str, ...] = ()) -> Parties:
    file = tmp_path / "rows.csv"
    file.write_text(text)
    config = LoadConfig("sip:desk@192.0.2.7;transport=tcp", method=method, data=str(file), body="usual")
    return Parties(config, OWN, servers)


def test_without_data_all_arrivals_have_the_same_sides() -> None:
    made = Parties(LoadConfig("sip:desk@192.0.2.7", method="message", body="text"), OWN)
    assert made.of(0) == made.of(7) == Party(OWN, "sip:desk@192.0.2.7", "text")


def test_a_row_replaces_what_it_has_and_the_number_of_the_arrival_chooses_it(tmp_path: Path) -> None:
    text = "from,to,user,password,header:X-Team,body\nalice,sales,al,secret,red,one\n,sip:fax@example.net,,,,\n"
    made = parties(tmp_path, text, servers=("proxy.example",))
    first, second = made.of(0), made.of(1)
    assert first.identity.from_ == "sip:alice@example.com"
    assert first.identity.headers == (("X-All", "1"), ("X-Team", "red"))
    assert (first.target, first.body) == ("sip:sales@192.0.2.7;transport=tcp", "one")
    assert second == Party(OWN, "sip:fax@example.net", "usual", line=3)
    assert (made.of(2).identity.from_, made.of(2).target) == (first.identity.from_, first.target)
    credentials = first.identity.credentials
    assert credentials is not None
    assert [credentials("any", host) for host in ("192.0.2.7", "proxy.example", "198.51.100.9")] == [
        ("al", "secret"),
        ("al", "secret"),
        None,
    ]


def test_the_users_of_registrations_are_those_of_the_registrar(tmp_path: Path) -> None:
    made = parties(tmp_path, "from\nalice\nsip:bob@example.org\n", "register")
    assert [made.of(index).identity.from_ for index in range(2)] == ["sip:alice@192.0.2.7", "sip:bob@example.org"]
    assert made.lacking("from") == 0
    assert parties(tmp_path, "from,user,password\nalice,,\n,al,secret\n", "register").lacking("from") == 3


@pytest.mark.parametrize(
    ("text", "method", "said"),
    [
        ("SEQUENTIAL\nalice;bob\n", "message", "columns in SIPp's form have no names"),
        ("from,pasword\nalice,x\n", "message", "there is no column 'pasword' for --method message; there are from, to"),
        ("from,body\nalice,x\n", "options", "there is no column 'body' for --method options"),
        ("from,to\nalice,bob\n", "register", "there is no column 'to' for --method register"),
        ("from,header:\nalice,x\n", "invite", "there is no column 'header:'"),
        ("user,password\nalice,\n", "invite", r"rows\.csv:2: user and password belong together"),
        ("to\nbob\nsip:\n", "invite", r"rows\.csv:3: to"),
        ("from\nalice\nalice@b@c\n", "invite", r"rows\.csv:3: from"),
        ("header:Via\nx\n", "invite", r"rows\.csv:2: headers: Via is written by the message itself"),
        ("header:X Y\nx\n", "invite", r"rows\.csv:2: headers: the name"),
    ],
)
def test_rows_that_cannot_be_sent_are_refused_before_anything_is(
    tmp_path: Path, text: str, method: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parties(tmp_path, text, method)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "answered"),
        (202, "answered"),
        (302, "redirected"),
        (404, "refused"),
        (408, "timeout"),
        (480, "unavailable"),
        (486, "busy"),
        (503, "server_error"),
        (600, "busy"),
        (603, "declined"),
        (606, "refused"),
    ],
)
def test_each_final_status_has_its_outcome(status: int, outcome: str) -> None:
    result = Result.of(response(status), Shown(None))
    assert (result.outcome, result.code, result.cause) == (outcome, status, "")


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize(("asked", "cause"), [(False, "no_credentials"), (True, "credentials_refused")])
def test_a_challenge_that_stands_is_named_by_whether_there_were_credentials(
    status: int, asked: bool, cause: str
) -> None:
    shown = Shown(lambda realm, host: ("me", "word"))
    if asked:
        assert shown("realm", "host") == ("me", "word")
    assert Result.of(response(status, *challenge(status)), shown).cause == cause


def test_credentials_that_are_for_another_realm_were_not_given() -> None:
    shown = Shown(lambda realm, host: ("me", "word") if realm == "ours" else None)
    assert shown("theirs", "host") is None
    assert not shown.given


@pytest.mark.parametrize(
    ("status", "loss", "outcome", "cause"),
    [
        (408, None, "timeout", "timeout"),
        (503, None, "transport_error", "transport"),
        (503, Loss.REFUSED, "transport_error", "refused"),
        (503, Loss.UNREACHABLE, "transport_error", "unreachable"),
        (503, Loss.LOCAL, "not_sent", "local_transport"),
        (503, Loss.TOO_LONG, "not_sent", "too_long"),
        (503, Loss.NO_WAY, "not_sent", "no_way"),
    ],
)
def test_what_has_no_response_has_its_cause(status: int, loss: Loss | None, outcome: str, cause: str) -> None:
    result = Result.without_response(status, loss)
    assert (result.outcome, result.code, result.cause) == (outcome, 0, cause)


CHALLENGED = REFUSED._replace(outcome="refused", code=401, phrase="Unauthorized")


@pytest.mark.parametrize(
    ("row", "config", "failure"),
    [
        (CHALLENGED._replace(cause="no_credentials"), {}, "no_credentials"),
        (CHALLENGED._replace(cause="credentials_refused"), {}, "credentials_refused"),
        (CHALLENGED._replace(cause="credentials_refused"), {"expect_code": 401}, ""),
        (CHALLENGED._replace(cause="credentials_refused"), {"expect_code": 200}, "credentials_refused"),
        (ROW._replace(closed="refused"), {}, "removal_refused"),
        (ROW._replace(closed="unanswered"), {}, "removal_unanswered"),
        (ROW._replace(closed="lost"), {}, "transport_error"),
        (ROW._replace(duration=1.0), {"hold": 2.0}, "cut_short"),
        (ROW._replace(failure="lapsed"), {}, "lapsed"),
        (ROW._replace(duration=1.0, cause="drained"), {"hold": 2.0}, ""),
    ],
)
def test_a_row_of_a_registration_is_judged(row: CallFinished, config: dict[str, float], failure: str) -> None:
    hold, code = config.get("hold", 0.0), int(config.get("expect_code", 0))
    assert missed(row, LoadConfig("sip:192.0.2.7", method="register", hold=hold, expect_code=code)) == failure


# ---- what lasts


class Kept(Lasting[int]):
    """Is answered after `delay` and confirms a removal after as long; notes when each removal is sent."""

    def __init__(self, loop: VirtualLoop, config: LoadConfig, rows: list[CallFinished], delay: float = 0.01) -> None:
        self.loop = loop
        self.delay = delay
        self.removals: list[float] = []
        self.confirms = True
        actor_loop = ActorLoop(loop, empty=lambda: None, forget=lambda actor: None)
        actor_loop.now = loop.time
        ends = RequestEnds(
            config, config.method, CallMetrics(Totals()), Roll(), loop.time, tell=rows.append, trace=lambda: None
        )
        super().__init__(config, ends, actor_loop, is_draining=lambda: False)

    def begin(self, index: int, planned: float, ended: Ended) -> bool:
        held: Held[int] = Held(Shown(None), ended)
        self._enter(held, index, f"call-{index}", planned, index)
        self.loop.call_later(self.delay, self._answered, held, Result("answered", 200, "OK"))
        return True

    def _send_removal(self, held: Held[int]) -> None:
        self.removals.append(self.loop.time())
        if self.confirms and held.result is not None:
            self.loop.call_later(self.delay, lambda: self._over(held, Result("answered", 200), closed="confirmed"))


def kept(
    config: LoadConfig, drive: Callable[[Kept, VirtualLoop], None], count: int = 30
) -> tuple[list[CallFinished], Kept, int]:
    """Begin so many at once, drive, and let 60 s pass; the rows, the starter, and how many ends were told."""
    rows: list[CallFinished] = []
    told: list[bool] = []
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        starter = Kept(loop, config, rows)

        async def main() -> None:
            for index in range(count):
                starter.begin(index, loop.time(), told.append)
            await asyncio.sleep(1.0)
            drive(starter, loop)
            await asyncio.sleep(60.0)

        runner.run(main())
    return rows, starter, len(told)


def registering(hold: float = 0.0, rate: float = 50.0) -> LoadConfig:
    return LoadConfig("sip:192.0.2.7", method="register", hold=hold, rate=rate)


@pytest.mark.parametrize("rate", [5.0, 50.0, 1000.0])
def test_what_lasts_until_the_end_of_the_plan_is_removed_at_its_rate(rate: float) -> None:
    rows, starter, told = kept(registering(rate=rate), lambda starter, loop: starter.finish())
    assert len(rows) == told == len(starter.removals) == 30
    assert starter.running == 0
    span = max(starter.removals) - min(starter.removals)
    assert span == pytest.approx(29 / rate, abs=0.011 + 1 / rate)
    assert {row.failure for row in rows} == {""}
    assert all(later >= earlier for earlier, later in pairwise(starter.removals))


def test_what_has_a_hold_is_removed_at_its_end_whatever_the_plan() -> None:
    rows, _, told = kept(registering(hold=5.0), lambda starter, loop: starter.finish())
    assert len(rows) == told == 30
    assert {row.failure for row in rows} == {""}
    assert all(row.duration == pytest.approx(5.01, abs=0.02) for row in rows)


def test_one_that_is_answered_after_the_end_of_the_plan_is_removed_too() -> None:
    def drive(starter: Kept, loop: VirtualLoop) -> None:
        starter.delay = 3.0
        starter.begin(30, loop.time(), lambda held_back: None)
        starter.finish()

    rows, starter, _ = kept(registering(), drive)
    assert len(rows) == len(starter.removals) == 31


@pytest.mark.parametrize(("hold", "cause"), [(20.0, "drained"), (0.0, "")])
def test_at_a_drain_what_is_not_confirmed_is_reported_in_time(hold: float, cause: str) -> None:
    ends: list[float] = []

    def drive(starter: Kept, loop: VirtualLoop) -> None:
        starter.confirms = False
        starter.cancel()
        ends.append(loop.time())

    rows, starter, told = kept(registering(hold=hold), drive, count=3)
    assert len(rows) == told == 3
    assert {(row.outcome, row.cause, row.closed, row.failure) for row in rows} == {
        ("answered", cause, "unanswered", "removal_unanswered")
    }
    assert max(row.ended for row in rows) == pytest.approx(ends[0] + LAST_WAIT, abs=0.1)
    assert starter.removals == [], "the worker sends them"


def test_one_without_an_answer_is_given_up_at_a_drain() -> None:
    def drive(starter: Kept, loop: VirtualLoop) -> None:
        starter.delay = 50.0
        starter.begin(9, loop.time(), lambda held_back: None)
        starter.cancel()

    rows, _, _ = kept(registering(hold=20.0), drive, count=0)
    assert [(row.outcome, row.code, row.failure) for row in rows] == [("cancelled", 0, "drained")]
