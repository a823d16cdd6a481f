"""Several applications of one call worker: each is asked, and the worker is ready when all are."""

import asyncio
from collections.abc import Callable

from sipswarm.actors.bus.messages import SendFailed
from sipswarm.actors.call_worker.application import Application, Applications
from sipswarm.actors.diagnosis.request_loss import Loss
from tests.actors.workers import worker_of
from tests.e2e.agents import agent


class Slow(Application):
    """One that is ready later."""

    def __init__(self, scenario: str, pending: int) -> None:
        self.scenario = scenario
        self.waiting: list[Callable[[], None]] = []
        self.left = pending
        self.started: list[float] = []

    def prepare(self, ready: Callable[[], None]) -> None:
        self.waiting.append(ready)

    def start(self, at: float) -> None:
        self.started.append(at)

    def pending(self) -> int:
        return self.left

    def end_pending(self) -> None:
        self.left = 0


def test_a_worker_without_an_application_is_ready_at_once() -> None:
    ready: list[str] = []
    Applications().prepare(lambda: ready.append("ready"))
    assert ready == ["ready"]


def test_a_worker_is_ready_when_each_of_its_applications_is() -> None:
    ready: list[str] = []
    first, plain, last = Slow("first", 2), Application(), Slow("", 3)
    applications = Applications()
    for each in (first, plain, last):
        applications.add(each)
    applications.prepare(lambda: ready.append("ready"))
    assert (len(first.waiting), len(last.waiting)) == (1, 0)
    first.waiting.pop()()
    assert not ready
    assert not applications.is_prepared
    last.waiting.pop()()
    assert ready == ["ready"]
    assert applications.is_prepared


def test_a_link_that_comes_back_prepares_nothing_again_and_reports_nothing() -> None:
    ready: list[str] = []
    slow = Slow("slow", 0)
    applications = Applications()
    applications.add(slow)
    applications.prepare(lambda: ready.append("ready"))
    applications.prepare(lambda: ready.append("a link came back before the preparation was over"))
    assert not ready
    slow.waiting.pop()()
    applications.prepare(lambda: ready.append("a link came back"))
    assert ready == ["ready"]
    assert not slow.waiting


def test_what_is_asked_of_applications_is_asked_of_each() -> None:
    first, last = Slow("first", 2), Slow("", 3)
    applications = Applications()
    applications.add(first)
    applications.add(last)
    assert applications.scenario == "first", "one without a label does not take it away"
    assert applications.pending() == 5
    applications.start(7.0)
    assert first.started == last.started == [7.0]
    applications.end_pending()
    assert applications.pending() == 0


def test_the_work_of_applications_and_requests_makes_a_worker_busy() -> None:
    """Garbage of a whole process is collected while nothing waits: registrations of a load are no calls, and wait."""

    async def main() -> None:
        async with agent() as alice:
            worker = worker_of(alice)
            assert worker.busy == 0
            worker.applications.add(Slow("load", 3))
            assert (worker.busy, worker.live_calls) == (3, 0)

    asyncio.run(main())


class Noting(Application):
    """One that notes what is lost."""

    def __init__(self) -> None:
        self.lost: list[SendFailed] = []

    def message_lost(self, failed: SendFailed) -> None:
        self.lost.append(failed)


def test_a_message_of_no_call_that_was_not_sent_is_given_to_each_application() -> None:
    async def main() -> None:
        async with agent("sip:alice@127.0.0.1") as alice:
            worker, noting = worker_of(alice), [Noting(), Noting()]
            for each in (noting[0], Application(), noting[1]):
                worker.applications.add(each)
            data = b"MESSAGE sip:b@192.0.2.9 SIP/2.0\r\nCall-ID: of-nobody\r\n\r\n"
            failed = SendFailed(0, "192.0.2.9", 5060, data, "no such host", Loss.UNREACHABLE.value)
            worker._on_lost(failed)
            worker._on_lost(failed._replace(loss=Loss.LOST.value))  # it may have arrived
            assert [each.lost for each in noting] == [[failed], [failed]]

    asyncio.run(main())
