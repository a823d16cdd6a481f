"""The actor of a call with media: it begins when its port is there, and is reported when its figures have come."""

import asyncio
from typing import Any

import pytest

from sipswarm.actors.diagnosis.failure_reasons import REASONS, Blame
from sipswarm.actors.diagnosis.request_loss import Loss
from sipswarm.actors.handle.media_lease import MediaLease
from sipswarm.actors.load.sipp_files.call import FIGURES_WAIT, MOST_HELD, FileCall, cause_of
from sipswarm.actors.load.sipp_files.figures import reason_of
from sipswarm.actors.load.sipp_files.file_media import FileMedia
from sipswarm.actors.runtime.outbox import Outbox
from sipswarm.actors.sipp.call.statistics import Failure
from sipswarm.media import messages as media
from tests.actors.sipp.call.scripted import Scripted, recv, request, request_of_peer, response, scenario

FILE = scenario(recv("OPTIONS"), response(200), '<pause milliseconds="1000"/>')


class Stage:
    """A call with media, which the peer begins if the file is not another one, and what it sent and told."""

    def __init__(self, file: str) -> None:
        self.outbox: Outbox[Any] = Outbox(1)
        self.sent: list[bytes] = []
        self.over: list[bool] = []
        self.touched = 0
        self.actor = FileCall(
            Scripted(file).call,
            "a@b",
            lambda data, flow: self.sent.append(data),
            lambda actor: self.over.append(actor.has_crashed),
            1000.0,
            lambda actor, marks, wishes, now: None,
        )
        lease = MediaLease(self.outbox, 0, "127.0.0.1", flush_soon=lambda: None)
        self.stream = lease.line.stream_id
        self.media = FileMedia(
            lease,
            base=("none",),
            ports={},
            path_of=str,
            may_send=lambda host: True,
            opened=self.actor.media_opened,
            failed=self.actor.media_failed,
            closed=self.actor.media_closed,
        )
        self.actor.plays(self.media, self._touch)

    def _touch(self, actor: FileCall) -> None:
        self.touched += 1

    def opens(self) -> None:
        """The port is there."""
        self.media.media_event(media.StreamOpened(self.stream, "127.0.0.1", 20_000, 20_001, 20_000), 1.0)

    def closes(self) -> None:
        """The figures of the stream come."""
        values = (self.stream, *(0,) * (len(media.StreamStatistics._fields) - 1))
        self.media.media_event(media.StreamClosed(self.stream, "closed", values), 5.0)


def staged(file: str = FILE) -> Stage:
    """A call, whose lease needs a loop to be made."""

    async def make() -> Stage:
        return Stage(file)

    return asyncio.run(make())


OPTIONS = request_of_peer("OPTIONS").encode()


def test_messages_wait_for_the_port_and_within_a_bound() -> None:
    stage = staged()
    stage.actor.begin(0.0)
    for _ in range(MOST_HELD + 5):
        stage.actor.receive_octets(OPTIONS, 0, 0.0)
    assert stage.sent == []
    assert stage.actor.deadline == 1000.0
    stage.opens()
    assert stage.sent[0].startswith(b"SIP/2.0 200 ")
    assert len(stage.sent) == MOST_HELD, "the repetitions are answered too"
    assert stage.touched == 1


def test_it_is_reported_when_the_figures_of_its_media_have_come() -> None:
    stage = staged()
    stage.opens()
    stage.actor.receive_octets(OPTIONS, 0, 1.0)
    stage.actor.handle_timer(2.0)
    assert (stage.over, stage.actor.finished) == ([], False)
    assert isinstance(stage.outbox.media[0][-1], media.CloseStream)
    stage.closes()
    assert (stage.over, stage.actor.finished) == ([False], True)
    assert stage.actor.figures is not None


def test_it_is_reported_without_figures_that_do_not_come() -> None:
    stage = staged()
    stage.opens()
    stage.actor.drain(3.0)
    assert stage.actor.deadline == 3.0 + FIGURES_WAIT
    stage.actor.handle_timer(2.9 + FIGURES_WAIT)
    assert stage.over == []
    stage.actor.handle_timer(3.0 + FIGURES_WAIT)
    assert stage.over == [False]
    stage.closes()
    assert stage.over == [False], "once"


def test_a_port_that_never_comes_ends_it_with_its_cause() -> None:
    stage = staged()
    stage.actor.begin(0.0)
    stage.actor.receive_octets(OPTIONS, 0, 0.0)
    stage.media.media_event(media.StreamRefused(stage.stream, "no_port"), 0.5)
    assert (stage.over, stage.actor.media_failure, stage.sent) == ([False], "no_port", [])


def test_a_file_that_cannot_be_played_ends_it_with_its_cause() -> None:
    stage = staged()
    stage.opens()
    stage.actor.receive_octets(OPTIONS, 0, 1.0)
    stage.media.media_event(media.CommandRefused(stage.stream, "SetSource", "no_file", 0, "a.wav: gone"), 1.1)
    stage.closes()
    assert (stage.over, stage.actor.media_failure) == ([False], "media_refused")


def test_what_its_file_describes_may_come_whatever_the_peer_has_described() -> None:
    body = "v=0\nc=IN IP4 192.0.2.1\nm=audio [media_port] RTP/AVP 0\n"
    answer = response(200).replace("Content-Length: 0\n\n", f"Content-Length: [len]\n\n{body}")
    offer = "v=0\r\nc=IN IP4 127.0.0.2\r\nm=audio 4000 RTP/AVP 8\r\n"
    stage = staged(scenario(recv("OPTIONS"), answer, '<pause milliseconds="1000"/>'))
    stage.opens()
    stage.actor.receive_octets(OPTIONS.replace(b"Content-Length: 0\r\n\r\n", b"\r\n" + offer.encode()), 0, 1.0)
    configured = [each for each in stage.outbox.media[0] if isinstance(each, media.ConfigureStream)]
    assert [each.receive_codecs for each in configured] == [((0, "PCMU", 8000), (8, "PCMA", 8000))]
    assert (configured[0].remote_port, configured[0].codec) == (4000, "PCMA")


def test_commands_of_the_other_side_and_its_end_wait_for_the_port_too() -> None:
    stage = staged(scenario("<recvCmd/>", request("OPTIONS"), "<recvCmd/>", request("OPTIONS", 2)))
    stage.actor.begin(0.0)
    stage.actor.receive_command("Ticket: 1", 0.0)
    stage.actor.receive_command("Ticket: 2", 0.0)
    stage.actor.left_alone(0.0)
    assert stage.sent == []
    stage.opens()
    assert [each.partition(b" ")[0] for each in stage.sent] == [b"OPTIONS", b"OPTIONS"]
    assert stage.actor.call.figures.failure is None


@pytest.mark.parametrize(
    ("last", "cause"), [('<pause milliseconds="5000"/>', "drained"), ('<timewait milliseconds="5000"/>', "")]
)
def test_a_call_is_cut_off_by_the_end_of_the_run_unless_it_waits_for_repetitions(last: str, cause: str) -> None:
    stage = staged(scenario(recv("OPTIONS"), response(200), last))
    stage.opens()
    stage.actor.receive_octets(OPTIONS, 0, 1.0)
    stage.actor.drain(2.0)
    stage.closes()
    assert (stage.actor.finished, cause_of((stage.actor,))) == (True, cause)


@pytest.mark.parametrize("loss", list(Loss))
def test_a_message_that_is_lost_fails_its_call_at_its_send_by_a_reason_of_the_verdict(loss: Loss) -> None:
    stage = staged(scenario(request("OPTIONS"), recv(200)))
    stage.opens()
    stage.actor.begin(1.0)
    stage.actor.message_lost("z9hG4bK-77-1-0", 1.0, loss)
    figures = stage.actor.call.figures
    assert figures.detail.startswith("step 0, ")
    reason = REASONS[reason_of(figures.failure)]
    blamed = {Loss.TOO_LONG: Blame.PLAN, Loss.LOCAL: Blame.GENERATOR, Loss.NO_WAY: Blame.GENERATOR}
    assert reason.blame is blamed.get(loss, Blame.SUT)


def test_each_failure_of_a_file_is_a_reason_of_the_verdict() -> None:
    assert [each for each in Failure if reason_of(each) not in REASONS] == []
