"""FFmpeg decodes what a call sends while re-INVITEs change its codec: the file is there, whole and in its place."""

import asyncio
import socket
import wave
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from sipswarm.media.audio.resampling import resampled
from tests.e2e.agents import agent
from tests.e2e.test_renegotiated_media import Phone, arrived
from tests.e2e.waiting import until
from tests.media.rtp_packet import RtpPacket

av: Any = pytest.importorskip("av", reason="PyAV is in the extra audio")

RATE = 16000
SECONDS = 10


class Form(NamedTuple):
    """A codec as the phone answers it, and as FFmpeg calls it."""

    lines: str
    payload_type: int
    decoder: str
    clock: int
    rate: int
    ms: int
    least: float
    """dB of signal to noise that the codec reaches with a sweep."""
    layout: str = "mono"
    param: tuple[object, ...] = ()
    """What our side's `rtp_param` says, where it offers this codec alone."""


PCMU = Form("m=audio PORT RTP/AVP 0", 0, "pcm_mulaw", 8000, 8000, 20, 28)
PCMA = Form("m=audio PORT RTP/AVP 8", 8, "pcm_alaw", 8000, 8000, 20, 28)
G722 = Form("m=audio PORT RTP/AVP 9", 9, "g722", 8000, 16000, 20, 10)
L16 = Form("m=audio PORT RTP/AVP 96\na=rtpmap:96 L16/8000", 96, "pcm_s16be", 8000, 8000, 20, 40)
OPUS = Form("m=audio PORT RTP/AVP 97\na=rtpmap:97 opus/48000/2", 97, "libopus", 48000, 48000, 20, 8)
STEREO = Form(
    "m=audio PORT RTP/AVP 96\na=rtpmap:96 L16/8000/2", 96, "pcm_s16be", 8000, 8000, 20, 40, "stereo",
    (96, 640, 0.02, "L16/8000/2"),
)  # fmt: skip
WIDE_STEREO = Form(
    "m=audio PORT RTP/AVP 98\na=rtpmap:98 L16/16000/2", 98, "pcm_s16be", 16000, 16000, 20, 40, "stereo",
    (98, 1280, 0.02, "L16/16000/2"),
)  # fmt: skip
ONLY_PCMU = PCMU._replace(param=(0, 160, 0.02))
ONLY_OPUS = OPUS._replace(param=(97, 960, 0.02, "opus/48000/2"))
SLOW_OPUS = OPUS._replace(lines=OPUS.lines + "\na=ptime:40", ms=40)
SLOW_PCMU = PCMU._replace(lines=PCMU.lines + "\na=ptime:30", ms=30)


def sweep() -> NDArray[np.int16]:
    """A tone that rises from 300 to 2700 Hz: each moment of it is unlike every other one."""
    time = np.arange(RATE * SECONDS) / RATE
    rising: NDArray[np.float64] = np.sin(2 * np.pi * (300 * time + 100 * time**2)) * 8000
    return np.rint(rising).astype(np.int16)


def decoded(packets: list[RtpPacket], form: Form) -> NDArray[np.float64]:
    """By FFmpeg, from the octets of the wire."""
    context = av.CodecContext.create(form.decoder, "r")
    context.sample_rate = form.rate
    context.layout = form.layout
    context.open()
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet.payload))]
    mono = av.AudioResampler(format="s16", layout="mono")
    parts = [each.to_ndarray().reshape(-1) for frame in frames for each in mono.resample(frame)]
    return np.concatenate(parts).astype(float)


def place_in(source: NDArray[np.float64], part: NDArray[np.float64]) -> tuple[int, float]:
    """Where a part is in the source, and its signal to noise in dB."""
    size = 1 << (len(source) + len(part)).bit_length()
    likeness = np.fft.irfft(np.fft.rfft(source, size) * np.conj(np.fft.rfft(part, size)), size)
    at = int(np.argmax(likeness[: len(source) - len(part)]))
    same = source[at : at + len(part)]
    gain = (same @ part) / (part @ part)
    assert gain == pytest.approx(1, abs=0.1)
    return at, float(10 * np.log10((same @ same) / max(((same - gain * part) ** 2).sum(), 1)))


async def collect(sock: socket.socket, packets: list[RtpPacket], form: Form) -> None:
    """Append what comes until there is a second of it in a codec."""
    before = len(packets)

    def heard() -> bool:
        packets.extend(RtpPacket.parse(data) for data in arrived(sock))
        return sum(each.payload_type == form.payload_type for each in packets[before:]) >= 1000 / form.ms

    await until(heard)


def one_call(forms: tuple[Form, ...], path: Path) -> list[RtpPacket]:
    """What the phone gets in a second of each codec."""
    phone = Phone(*(form.lines for form in forms))
    packets: list[RtpPacket] = []

    async def main() -> None:
        codecs = ("pcmu", "pcma", "g722", "l16", "opus")
        async with asyncio.timeout(40), agent(codecs=codecs) as alice, phone:
            params: list[dict[str, Any]] = [{"rtp_param": form.param} if form.param else {} for form in forms]
            call = await alice.invite(phone.uri(), media=f"play:{path}", **params[0])
            for place, form in enumerate(forms):
                if place:
                    await call.reinvite(**params[place])
                await collect(phone.rtp, packets, form)
            await call.bye()

    try:
        asyncio.run(main())
    finally:
        phone.close()
    return packets


def gap(one: RtpPacket, other: RtpPacket, step: int) -> int:
    """Ticks that a busy machine was too late to send between two packets: the file goes on meanwhile."""
    assert (other.sequence_number - one.sequence_number) & 0xFFFF == 1
    return ((other.timestamp - one.timestamp) & 0xFFFFFFFF) - step


@pytest.mark.parametrize(
    "forms",
    [
        (PCMU, G722, OPUS, PCMA, L16),
        (OPUS, PCMU, OPUS, G722, PCMU),
        (PCMU, SLOW_OPUS, SLOW_PCMU, PCMA, G722),
        (STEREO, ONLY_PCMU, WIDE_STEREO, ONLY_OPUS, STEREO),
    ],
    ids=["each codec", "Opus and back", "other packet times", "two channels"],
)
def test_ffmpeg_hears_the_file_through_changes_of_the_codec(forms: tuple[Form, ...], tmp_path: Path) -> None:
    judge(one_call(forms, written(tmp_path)), forms)


def written(folder: Path) -> Path:
    """The sweep as a WAV file."""
    path = folder / "sweep.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(sweep().astype("<i2").tobytes())
    return path


def judge(packets: list[RtpPacket], forms: Sequence[Form]) -> None:
    """The packets are the sweep in one codec after the other: nothing of it is missing, doubled or noisy."""
    changes = [0, *(at + 1 for at, (a, b) in enumerate(pairwise(packets)) if a.payload_type != b.payload_type)]
    parts = [packets[a:b] for a, b in pairwise([*changes, len(packets)])]
    assert [part[0].payload_type for part in parts] == [form.payload_type for form in forms]
    position = 0.0
    last: RtpPacket | None = None
    for form, part in zip(forms, parts, strict=True):
        step = round(form.clock * form.ms / 1000)
        source = resampled(sweep(), RATE, form.rate).astype(float)
        # At a change the file waits while it is encoded anew, or goes on with the clock.
        waited = gap(last, part[0], step) / form.clock if last is not None else 0
        whole = 0
        runs = [0, *(at + 1 for at, (a, b) in enumerate(pairwise(part)) if gap(a, b, step)), len(part)]
        for begin, end in pairwise(runs):
            if begin:
                position += gap(part[begin - 1], part[begin], step) / form.clock
            run = part[begin:end]
            if len(run) * form.ms >= 400:  # in less Opus has not found the level again
                heard = decoded(run, form)
                assert len(heard) == pytest.approx(len(run) * form.ms * form.rate / 1000, abs=form.rate / 50)
                unsure = form.rate // 20  # decoders need some packets
                at, quality = place_in(source, heard[unsure:])
                assert quality > form.least, form
                started = (at - unsure) / form.rate
                assert position - 0.035 <= started <= position + waited + 0.035, "the file goes on where it was"
                position, waited = started, 0
                whole += 1
            position += len(run) * form.ms / 1000
        assert whole, "a run without a gap"
        last = part[-1]
    assert position > 0.9 * len(forms)
