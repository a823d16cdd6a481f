"""A media line without sockets: what it sends is a list, what it receives is bytes, time is a number."""

import os

from sipswarm.media.context import StreamContext
from sipswarm.media.messages import ConfigureStream, Event
from sipswarm.media.stream import Stream
from sipswarm.media.totals import DISCARD_REASONS
from tests.media.rtp_packet import RtpPacket

SILENCE = b"\xff" * 160
DTMF = ConfigureStream(1, dtmf_payload_type=101, dtmf_receive_payload_type=101)


class Line:
    """A stream, what it sent and what it said."""

    def __init__(self, command: ConfigureStream = DTMF) -> None:
        self.context = StreamContext(os.urandom)
        self.stream = Stream(1, 9, self.context, 0.0)
        self.stream.configure(command, True)
        self.sent: list[RtpPacket] = []
        self.stream.sender.send = lambda data: self.sent.append(RtpPacket.parse(bytes(data)))
        self.number = 0

    def intervals(self, count: int) -> list[RtpPacket | None]:
        """What the tick gets in so many intervals."""
        got = []
        for _ in range(count):
            data = self.stream.sender.next_packet()
            got.append(None if data is None else RtpPacket.parse(bytes(data)))
        return got

    def receive(self, packet: RtpPacket | bytes, now: float) -> bool:
        data = packet if isinstance(packet, bytes) else packet.to_bytes()
        return self.stream.receiver.receive(data, len(data), now)

    def audio(
        self, numbers: list[int], *, ssrc: int = 5, at: float = 0.0, payload: bytes = SILENCE, pt: int = 0
    ) -> None:
        """Packets in the order given, each at the time of its place."""
        for place, number in enumerate(numbers):
            self.receive(RtpPacket(pt, number & 0xFFFF, 160 * number & 0xFFFFFFFF, ssrc, payload), at + place * 0.02)

    def events(self) -> list[Event]:
        taken = [event for owner, event in self.context.events if owner == 9]
        self.context.events.clear()
        return taken

    def discards(self) -> dict[str, int]:
        return {
            name: count for name, count in zip(DISCARD_REASONS, self.stream.receiver.discards, strict=True) if count
        }
