"""A format that changes within a call: digits and files go on (RFC 3264 8.3); `test_every_pair` has the table."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sipswarm.media.audio.codecs import open_codec
from sipswarm.media.audio.formats import payload_octets
from sipswarm.media.messages import ConfigureStream, DtmfReceived, SendDigits, SourceFinished
from sipswarm.media.sinks import wav_header
from sipswarm.media.sockets import bind
from tests.media.rtp_packet import RtpPacket

from .world import HOME, World

Form = tuple[str, int, int, int]


def configuration(port: int, form: Form, **more: object) -> ConfigureStream:
    name, number, clock, ms = form
    ticks = clock * ms // 1000
    command = ConfigureStream(
        1,
        remote_address=HOME,
        remote_port=port,
        codec=name,
        payload_type=number,
        clock_rate=clock,
        payload_size=payload_octets(name, ticks),
        packet_interval=ms / 1000,
        dtmf_payload_type=101,
        dtmf_receive_payload_type=101,
        dtmf_clock_rate=clock,
    )
    return command._replace(**more)  # type: ignore[arg-type]  # any field of the command


def _read(peer: "object") -> RtpPacket | None:
    try:
        return RtpPacket.parse(peer.recv(2048))  # type: ignore[attr-defined]
    except BlockingIOError:
        return None


@pytest.mark.parametrize(("one", "other"), [(8000, 48000), (48000, 8000), (8000, 16000), (16000, 48000)])
@pytest.mark.parametrize("wait", [0.0, 0.05, 0.1, 0.12, 0.14, 0.3])
def test_a_digit_is_one_and_lasts_as_long_whenever_the_clock_changes(
    world: World, one: int, other: int, wait: float
) -> None:
    engines = world.engine(), world.engine()
    ports = [world.open(engine).rtp_port for engine in engines]

    def use(clock: int, **more: object) -> None:
        form = ("L16", 96, clock, 10 if clock == 48000 else 20)
        for engine, port in zip(engines, reversed(ports), strict=True):
            receive = ((96, "L16", clock),)
            world.do(engine, configuration(port, form, receive_codecs=receive, **more))

    use(one, source=("silence",))
    world.run(0.5)
    world.do(engines[0], SendDigits(1, 1, "1", 100))
    world.run(wait)
    use(other)
    world.run(0.5)
    world.do(engines[0], SendDigits(1, 2, "2", 100))
    world.run(0.5)
    said = world.said(engines[1], DtmfReceived)
    assert [digit.event for digit in said] == ["1", "2"]
    assert said[0].duration_ms == pytest.approx(100, abs=2)
    assert said[1].duration_ms == 100


def test_a_file_goes_on_where_it_was_when_the_format_changes(world: World, tmp_path: Path) -> None:
    """A file whose level rises by a step each 100 ms: no step is heard twice or left out, and it ends in time."""
    levels = np.repeat(np.arange(1, 21) * 500, 800).astype("<i2")
    file = tmp_path / "steps.wav"
    file.write_bytes(wav_header(8000, levels.nbytes) + levels.tobytes())
    engine = world.engine()
    world.open(engine)
    peer = bind(HOME, 0)
    heard: list[float] = []
    try:
        port = peer.getsockname()[1]
        for form, source in ((("PCMU", 0, 8000, 20), ("file", str(file), 1)), (("L16", 96, 8000, 30), ())):
            world.do(engine, configuration(port, form, source=source))
            codec = open_codec(form[0])
            for _ in range(20 if source else 40):
                world.run(0.05)
                while (packet := _read(peer)) is not None:
                    heard += codec.decode(packet.payload).tolist()
    finally:
        peer.close()
    steps = [round(level / 500) for level in heard]
    assert [step for step, after in pairwise([*steps, 0]) if step != after] == list(range(1, 21))
    assert len(heard) == pytest.approx(len(levels), abs=240)
    assert [event.reason for event in world.said(engine, SourceFinished)] == ["end"]
