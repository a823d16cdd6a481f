"""The media of a call of a scenario file: commands by what its actions ask, and what its failures make of the call."""

import asyncio
from typing import Any

import pytest

from sipswarm.actors.handle.media_lease import MediaLease
from sipswarm.actors.load.sipp_files.file_media import PORTS, FileMedia
from sipswarm.actors.runtime.outbox import Outbox
from sipswarm.actors.sipp.actions.results import (
    EchoMedia,
    PlayCapture,
    PlayDigits,
    Result,
    StreamControl,
    StreamFile,
)
from sipswarm.actors.sipp.call.described import RemoteMedia
from sipswarm.media import messages as media
from sipswarm.media.messages import SourceSpec

PEER = RemoteMedia("127.0.0.2", 4000, ((8, "PCMA", 8000), (101, "telephone-event", 8000)))
PCMU = (0, "PCMU", 8000)


class Stage:
    """A stream of a call, its commands and what it told the call."""

    def __init__(self, base: SourceSpec = ("none",), *, permits: bool = True) -> None:
        self.outbox: Outbox[Any] = Outbox(1)
        self.ports: dict[str, int] = {}
        self.said: list[Any] = []
        lease = MediaLease(self.outbox, 0, "127.0.0.1", flush_soon=lambda: None)
        self.stream = lease.line.stream_id
        self.media = FileMedia(
            lease,
            base=base,
            ports=self.ports,
            path_of=lambda name: f"/folder/{name}",
            may_send=lambda host: permits,
            opened=lambda now: self.said.append("opened"),
            failed=lambda cause, what, now: self.said.append((cause, what)),
            closed=lambda now: self.said.append("closed"),
        )

    def commands(self) -> list[media.Command]:
        """What was asked of the media worker since the last time."""
        found = list(self.outbox.media[0])
        self.outbox.media[0].clear()
        return found

    def opened(self) -> None:
        """The port is there."""
        self.media.media_event(media.StreamOpened(self.stream, "127.0.0.1", 20_000, 20_001, 20_000), 1.0)
        self.commands()

    def described(self, remote: RemoteMedia = PEER) -> None:
        """The port is there, and the peer has described its own."""
        self.opened()
        self.media.describe(remote, remote.formats, 1.0, is_up=True)
        self.commands()


def staged(base: SourceSpec = ("none",), *, permits: bool = True) -> Stage:
    """A stream, whose lease needs a loop to be made."""

    async def make() -> Stage:
        return Stage(base, permits=permits)

    return asyncio.run(make())


def test_its_port_is_there_before_the_call_begins() -> None:
    stage = staged()
    assert isinstance(stage.commands()[0], media.OpenStream)
    assert stage.outbox.streams == {stage.stream: stage.media}
    stage.opened()
    assert stage.said == ["opened"]
    assert stage.ports == dict.fromkeys(PORTS, 20_000)


def test_it_sends_to_what_the_peer_describes_last_and_only_when_that_changes() -> None:
    stage = staged(("silence",))
    stage.opened()
    stage.media.describe(PEER, PEER.formats, 1.0, is_up=True)
    (command,) = stage.commands()
    assert isinstance(command, media.ConfigureStream)
    assert (command.remote_address, command.remote_port) == ("127.0.0.2", 4000)
    assert (command.codec, command.payload_type, command.payload_size) == ("PCMA", 8, 160)
    assert (command.dtmf_payload_type, command.source) == (101, ("silence",))
    stage.media.describe(PEER, PEER.formats, 2.0, is_up=True)
    assert stage.commands() == []
    stage.media.describe(PEER, (PCMU, *PEER.formats), 2.0, is_up=True)
    (command,) = stage.commands()
    assert isinstance(command, media.ConfigureStream)
    assert command.receive_codecs == (PCMU, *PEER.formats)
    stage.media.describe(PEER._replace(port=4002, formats=(PCMU,)), (PCMU,), 3.0, is_up=True)
    (command,) = stage.commands()
    assert isinstance(command, media.ConfigureStream)
    assert (command.remote_port, command.codec) == (4002, "PCMU")
    assert (command.dtmf_payload_type, command.dtmf_receive_payload_type) == (96, -1), "SIPp's number without events"
    assert command.source == (), "what it sends goes on"


def test_media_is_due_from_the_answer_until_a_bye_after_which_nothing_is_sent() -> None:
    stage = staged(("silence",))
    stage.opened()
    for is_up in (False, True, False):
        stage.media.describe(PEER, PEER.formats, 1.0, is_up=is_up)
    configured = [each for each in stage.commands() if isinstance(each, media.ConfigureStream)]
    assert [(each.direction, each.early) for each in configured] == [
        ("sendrecv", True),
        ("sendrecv", False),
        ("inactive", True),
    ]


@pytest.mark.parametrize(
    ("wish", "command"),
    [
        (PlayCapture("a.pcap"), media.SetSource(1, ("capture", "/folder/a.pcap"), layer="over")),
        (PlayDigits(" 12# "), media.SendDigits(1, 1, "12#")),
        (StreamFile("a.wav", -1, -1, ""), media.SetSource(1, ("file", "/folder/a.wav", -1))),
        (StreamControl.PAUSE, media.SetSource(1, ("none",), layer="over")),
        (StreamControl.RESUME, media.StopSource(1)),
        (EchoMedia(True), media.SetSource(1, ("echo", 0))),
        (EchoMedia(False), media.SetSource(1, ("silence",))),
    ],
)
def test_actions_become_commands(wish: Result, command: media.Command) -> None:
    stage = staged(("silence",))
    stage.described()
    stage.media.carry_out(wish)
    assert stage.commands()[-1] == command._replace(stream_id=stage.stream)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (StreamFile("a.wav", 1, 0, "PCMU/8000"), (0, "PCMU", 8000)),
        (StreamFile("a.wav", 1, 98, "opus/48000"), (98, "opus", 48000)),
        (StreamFile("a.wav", 1, -1, "PCMA"), (8, "PCMA", 8000)),
        (StreamFile("a.wav", 1, 8, ""), (8, "PCMA", 8000)),
        (StreamFile("a.wav", 1, 0, ""), (0, "PCMU", 8000)),
        (StreamFile("a.wav", 1, 9, ""), (9, "G722", 8000)),
        (StreamFile("a.wav", 1, -1, ""), (8, "PCMA", 8000)),
    ],
)
def test_a_stream_has_the_format_that_it_names(wish: StreamFile, expected: tuple[int, str, int]) -> None:
    stage = staged()
    stage.described()
    stage.media.carry_out(wish)
    configured, _ = stage.commands()
    assert isinstance(configured, media.ConfigureStream)
    assert (configured.payload_type, configured.codec, configured.clock_rate) == expected


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        (media.CommandRefused(1, "SetSource", "bad_file", 0, "a.pcap has no RTP packet"), "media_refused"),
        (media.SourceFinished(1, "bad_file", 0, "a.pcap is damaged"), "media_refused"),
        (media.DigitsSent(1, 1, "FAIL", "not_negotiated"), "digits_not_sent"),
        (media.StreamClosed(1, "failed", (0,) * len(media.StreamStatistics._fields)), "media_failed"),
    ],
)
def test_what_cannot_go_on_fails_the_call(event: media.Event, cause: str) -> None:
    stage = staged()
    stage.described()
    stage.said.clear()
    stage.media.media_event(event, 2.0)
    assert stage.said[0][0] == cause


def test_ends_of_files_and_of_digits_fail_nothing() -> None:
    stage = staged()
    stage.described()
    stage.said.clear()
    for event in (
        media.SourceFinished(1, "end"),
        media.DigitsSent(1, 1, "OK"),
        media.DigitsSent(1, 1, "FAIL", "closed"),
    ):
        stage.media.media_event(event, 2.0)
    assert stage.said == []


def test_it_is_closed_once_and_its_figures_are_kept() -> None:
    stage = staged()
    stage.described()
    stage.said.clear()
    stage.media.close()
    stage.media.close()
    assert stage.commands() == [media.CloseStream(stage.stream)]
    stage.media.carry_out(EchoMedia(True))
    assert stage.commands() == [], "nothing is asked of what is closed"
    values = (stage.stream, *(0,) * (len(media.StreamStatistics._fields) - 1))
    stage.media.media_event(media.StreamClosed(stage.stream, "closed", values), 2.0)
    assert stage.said == ["closed"]
    assert stage.media.statistics is not None
    assert stage.outbox.streams == {}


def test_the_loss_of_its_media_worker_fails_the_call_once() -> None:
    stage = staged()
    stage.described()
    stage.said.clear()
    stage.media.media_lost(0, "media_worker_lost", 2.0)
    stage.media.media_lost(0, "media_worker_lost", 3.0)
    assert stage.said == [("media_lost", "media_worker_lost"), "closed"]
    assert stage.outbox.streams == {}


def test_a_port_that_is_refused_fails_the_call_before_it_begins() -> None:
    stage = staged()
    stage.media.media_event(media.StreamRefused(stage.stream, "no_port"), 1.0)
    assert stage.said == [("no_port", "no_port"), "closed"]


@pytest.mark.parametrize(
    ("address", "permits", "cause"),
    [
        ("2001:db8::1", True, "media_failed"),
        ("host.example", True, "media_failed"),
        ("192.0.2.1", False, "forbidden_address"),
    ],
)
def test_an_address_that_nothing_may_be_sent_to_fails_the_call(address: str, permits: bool, cause: str) -> None:
    stage = staged(permits=permits)
    stage.opened()
    stage.said.clear()
    stage.media.describe(PEER._replace(address=address), PEER.formats, 1.0, is_up=True)
    assert stage.commands() == []
    assert stage.said[0][0] == cause


def test_a_peer_on_hold_gets_nothing() -> None:
    stage = staged(permits=False)
    stage.opened()
    stage.media.describe(PEER._replace(address="0.0.0.0"), PEER.formats, 1.0, is_up=True)
    (command,) = stage.commands()
    assert isinstance(command, media.ConfigureStream)
    assert command.remote_address == ""
    assert stage.said == ["opened"]
