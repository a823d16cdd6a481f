"""What is left at the end of a file and fills no packet: sent with silence behind it, or before the next round."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from sipswarm.media.audio.codecs import open_codec
from sipswarm.media.audio.formats import payload_octets
from sipswarm.media.messages import SetSource, SourceFinished
from sipswarm.media.sinks import wav_header
from sipswarm.media.sockets import bind
from sipswarm.media.sources import FileFrames, FileSource, Format
from tests.media.rtp_packet import RtpPacket

from .test_every_pair import FORMS, Form, configuration
from .tones import fit, sine
from .world import HOME, World

MILLISECONDS = (5, 110, 1055)


def form_of(form: Form) -> Format:
    return Format(form.name, form.clock, payload_octets(form.name, form.ticks), form.ticks)


def payload(form: Form, milliseconds: int) -> bytes:
    octets = payload_octets(form.name, form.clock * milliseconds // 1000)
    return np.random.default_rng(milliseconds).integers(0, 256, octets, np.uint8).tobytes()


def packets(source: FileSource, most: int = 2000) -> list[bytes]:
    return list(islice(iter(source.next_payload, None), most))


@pytest.mark.parametrize("milliseconds", MILLISECONDS)
@pytest.mark.parametrize("form", [form for form in FORMS if form.name != "opus"], ids=str)
def test_payload_of_any_length_is_sent_to_its_last_octet_and_in_loops_without_a_seam(
    form: Form, milliseconds: int, tmp_path: Path
) -> None:
    if form.name == "G722":
        pytest.importorskip("av", reason="PyAV is in the extra audio")
    data = payload(form, milliseconds)
    path = tmp_path / "announcement"
    path.write_bytes(data)
    files, wanted = FileFrames(), form_of(form)
    for repeat in (1, 2, 3, 7):
        source = files.source(f"raw:{path}", wanted, repeat)
        sent = packets(source)
        assert source.finished == "end"
        assert {len(each) for each in sent} == {wanted.payload_size}
        heard, expected = b"".join(sent), data * repeat
        assert heard[: len(expected)] == expected
        padding = heard[len(expected) :]
        assert len(padding) < wanted.payload_size
        assert padding == wanted.silence()[len(wanted.silence()) - len(padding) :]
    endless = b"".join(packets(files.source(f"raw:{path}", wanted, -1), 300))
    assert endless == (data * (len(endless) // len(data) + 1))[: len(endless)]


@pytest.mark.parametrize("milliseconds", MILLISECONDS)
@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_audio_of_any_length_is_sent_to_its_last_sample(
    form: Form, rate: int, milliseconds: int, tmp_path: Path
) -> None:
    pytest.importorskip("av", reason="PyAV is in the extra audio")
    samples = sine(0, milliseconds / 1000, rate).tobytes()
    path = tmp_path / "a.wav"
    path.write_bytes(wav_header(rate, len(samples)) + samples)
    files, wanted = FileFrames(), form_of(form)
    for repeat in (1, 2, 3):
        source = files.source(str(path), wanted, repeat)
        sent = packets(source)
        assert source.finished == "end"
        assert len(sent) == pytest.approx(-(-milliseconds * repeat // form.ms), abs=1)
        assert len(sent) * form.ms >= milliseconds * repeat - 2


def test_a_loop_of_a_whole_number_of_cycles_is_one_tone_whatever_the_packet_time(tmp_path: Path) -> None:
    samples = sine(0, 0.115, 8000, 400).tobytes()  # 46 cycles
    path = tmp_path / "a.wav"
    path.write_bytes(wav_header(8000, len(samples)) + samples)
    for ms in (10, 20, 30, 40, 60, 120):
        form = Format("PCMU", 8000, ms * 8, ms * 8)
        sent = packets(FileFrames().source(str(path), form, -1), 6000 // ms)
        quality, _ = fit(open_codec("PCMU").decode(b"".join(sent)), 8000, 400)
        assert quality > 35


def test_a_stream_sends_the_last_packet_with_silence_and_then_reports_the_end(world: World, tmp_path: Path) -> None:
    path = tmp_path / "short.ulaw"
    path.write_bytes(bytes(range(1, 111)) * 8)  # 110 ms, in packets of 60
    engine = world.engine()
    world.open(engine)
    peer = bind(HOME, 0)
    try:
        form = Form("PCMU", 0, 8000, 8000, 60, 0)
        world.do(engine, configuration(peer.getsockname()[1], form))
        world.do(engine, SetSource(1, ("file", str(path), 1)))
        world.run(0.5)
        heard = [RtpPacket.parse(peer.recv(2048)) for _ in range(2)]
        with pytest.raises(BlockingIOError):
            peer.recv(2048)
    finally:
        peer.close()
    assert b"".join(each.payload for each in heard) == bytes(range(1, 111)) * 8 + b"\xff" * 80
    assert [event.reason for event in world.said(engine, SourceFinished)] == ["end"]
    assert world.close(engine).bytes_sent == 960


def test_a_loop_goes_on_from_what_was_read_when_the_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.ulaw"
    path.write_bytes(bytes(400))
    source = FileFrames().source(str(path), Format("PCMU", 8000, 160, 160), -1)
    source.next_payload()
    path.unlink()
    assert packets(source, 20) == [bytes(160)] * 20
    assert source.finished == ""


@pytest.mark.parametrize(("codec", "octets"), [("G729", 25), ("opus", 25)])
def test_payload_that_silence_is_not_known_for_ends_with_a_short_packet(
    codec: str, octets: int, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(octets))
    source = FileFrames().source(f"raw:{path}", Format(codec, 8000, 20, 160), 1)
    assert [len(each) for each in packets(source)] == [20, 5]
    assert source.uniform == 0
