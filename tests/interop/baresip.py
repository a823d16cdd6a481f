"""baresip as a peer: a phone without sound card that calls, plays a tone, records what it hears and counts its packets.

Debian's baresip 1.0.0 leaves the loopback interface out of its addresses, but takes 127.0.0.1 when it is told to: the
address in its SDP is then where its media comes from, which our strict rule for sources asks for.
"""

import itertools
import math
import re
import struct
import wave
from pathlib import Path
from typing import NamedTuple

from .peers import BARESIP, require
from .processes import LOOPBACK, Program, free_port

RATE = 8000
TONE_HZ = 440
TONE_RMS = 5657.0
"""of a sine of amplitude 8,000"""


class Heard(NamedTuple):
    """What the phone knows at the end of its call."""

    established: bool
    packets_sent: int
    packets_received: int
    errors: int
    rms: float
    """of what it decoded, start and end left out, in units of 16 bit samples"""
    hertz: float
    """by zero crossings, over the same part"""
    account: str


class Phone:
    """One call of some seconds to a SIP URI."""

    def __init__(self, folder: Path, to: str, seconds: int) -> None:
        baresip = require(BARESIP)
        self._seconds = seconds
        self._home = folder / "baresip"
        self._home.mkdir()
        tone = self._home / "tone.wav"
        with wave.open(str(tone), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            samples = [int(8000 * math.sin(2 * math.pi * TONE_HZ * n / RATE)) for n in range(RATE * (seconds + 2))]
            file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
        port = free_port()
        media = free_port()
        lines = [
            "module_path /usr/lib/baresip/modules",
            f"sip_listen {LOOPBACK}:{port}",
            f"net_interface {LOOPBACK}",
            f"audio_source aufile,{tone}",
            "audio_player aubridge,nil",
            "audio_alert aubridge,nil",
            "audio_channels 1",
            f"audio_srate {RATE}",
            f"rtp_ports {media}-{media + 20}",
            "rtp_stats yes",
            f"snd_path {self._home}",
            *(f"module {name}.so" for name in ("g711", "aufile", "aubridge", "sndfile")),
            *(f"module_app {name}.so" for name in ("account", "menu")),
            "module_tmp uuid.so",
        ]
        (self._home / "config").write_text("\n".join(lines) + "\n")
        (self._home / "accounts").write_text(f"<sip:phone@{LOOPBACK}:{port}>;regint=0\n")
        (self._home / "contacts").write_text("\n")
        argv = [baresip, "-4", "-f", str(self._home), "-e", f"/dial {to}", "-t", str(seconds)]
        self.program = Program(argv, folder, "baresip")

    def heard(self) -> Heard:
        """Wait for the end of the call."""
        self.program.wait(self._seconds + 15)
        said = self.program.output + self.program.errors
        packets = re.search(r"^packets: +(\d+) +(\d+)", said, re.MULTILINE)
        errors = re.search(r"^errors: +(\d+) +(\d+)", said, re.MULTILINE)
        rms, hertz = self._recorded()
        return Heard(
            "Call established" in said,
            int(packets[1]) if packets else 0,
            int(packets[2]) if packets else 0,
            int(errors[1]) + int(errors[2]) if errors else 0,
            rms,
            hertz,
            self.program.account(),
        )

    def _recorded(self) -> tuple[float, float]:
        recordings = list(self._home.glob("dump-*-dec.wav"))
        if not recordings:
            return 0.0, 0.0
        octets = recordings[0].read_bytes()[44:]
        samples = struct.unpack(f"<{len(octets) // 2}h", octets[: len(octets) // 2 * 2])[RATE:-RATE]
        if not samples:
            return 0.0, 0.0
        crossings = sum(1 for a, b in itertools.pairwise(samples) if a < 0 <= b)
        rms = math.sqrt(sum(value * value for value in samples) / len(samples))
        return rms, crossings * RATE / len(samples)
