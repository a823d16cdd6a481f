"""What a peer sends while signalling still travels between our processes is not lost."""

import socket
import struct

from sipswarm.media.engine import MediaEngine, MediaSettings
from sipswarm.media.messages import CloseStream, ConfigureStream, OpenStream, StreamClosed, StreamOpened


def test_packets_that_come_before_the_configuration_are_received_after_it() -> None:
    now = 100.0
    engine = MediaEngine(MediaSettings(port_first=36000, port_last=36998), clock=lambda: now)
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        peer.bind(("127.0.0.1", 0))
        engine.handle(1, OpenStream(1, "127.0.0.1"), now)
        ((_, opened),) = engine.drain()
        assert isinstance(opened, StreamOpened)
        for number in range(5):
            header = struct.pack("!BBHII", 0x80, 0, number, number * 160, 7)
            peer.sendto(header + bytes(160), ("127.0.0.1", opened.rtp_port))
        engine.on_readable(now)
        host, port = peer.getsockname()
        engine.handle(1, ConfigureStream(1, remote_address=host, remote_port=port, source=("none",)), now)
        engine.on_readable(now)
        engine.handle(1, CloseStream(1), now)
        closed = [event for _, event in engine.drain() if isinstance(event, StreamClosed)]
        assert [each.statistics.packets_received for each in closed] == [5]
        assert closed[0].statistics.packets_discarded == 0
    finally:
        peer.close()
        engine.close()
