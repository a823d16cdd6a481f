"""Calls with audio and digits that live through a flood, in a process of their own: `python -m tests.faults.canaries`.

Reads commands on standard input, one a line, and answers each with one line of JSON: `begin COUNT URI` places calls
and gives what a stranger could know of them, `end` closes them and gives what each of them received, `lure URI` calls
a hostile peer. Ends when its input ends. Judged by what came, never by what was asked for.
"""

import asyncio
import json
import sys
import wave
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallError
from sipswarm.actors.handle.call import Call
from sipswarm.media.messages import StreamStatistics
from tests.actors.workers import worker_of

TONE = 440
WINDOW = 0.05
"""seconds of audio that are looked at together"""
RECORDED = 2.0
"""seconds of audio that are kept of each call, at its end"""
DIGITS_EVERY = 4.0
"""seconds between two groups of digits"""
ANSWER_TIME = 15.0
"""seconds in which a group of digits is back"""
ALPHABET = "0123456789*#"
LURES = 32
"""calls to a hostile peer at a time"""


class Canary:
    """One call: sends a tone and groups of digits, and keeps what comes back."""

    def __init__(self, call: Call, number: int, folder: Path) -> None:
        self.call = call
        self._dice = Random(number)
        self._file = folder / f"{number}.wav"
        self._over = asyncio.Event()
        self.sent = self.received = ""
        self.task = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        await asyncio.sleep(self._dice.uniform(0, DIGITS_EVERY))
        while not self._over.is_set():
            group = "".join(self._dice.choices(ALPHABET, k=2))
            self.sent += group
            await self.call.dtmf(group)
            self.received += await self.call.digits(len(group), timeout=ANSWER_TIME)
            try:
                async with asyncio.timeout(DIGITS_EVERY):
                    await self._over.wait()
            except TimeoutError:
                continue

    def known(self) -> dict[str, Any]:
        """What somebody who saw its messages would know of it."""
        session = self.call.actor.session
        dialog = session.dialog
        assert dialog is not None
        return {
            "call_id": self.call.call_id,
            "local_tag": dialog.local_tag,
            "remote_tag": dialog.remote_tag,
            "cseq": dialog.local_cseq,
        }

    async def end(self) -> dict[str, Any]:
        """Finish its digits, record, hang up; what was received."""
        self._over.set()
        failure = ""
        try:
            await self.task
            self.call.record(str(self._file))
            await asyncio.sleep(RECORDED)
            await self.call.bye()
        except CallError as error:
            failure = repr(error)
        figures = self.call.statistics
        return {
            "failure": failure or self.call.failure,
            "cause": self.call.cause,
            "by": self.call.by,
            "sent": self.sent,
            "received": self.received,
            "tone": heard(self._file),
            "packets_expected": figures.packets_expected if figures else 0,
            "packets_sent": figures.packets_sent if figures else 0,
            "packets_received": figures.packets_received if figures else 0,
            "figures": vars_of(figures),
        }


def vars_of(figures: StreamStatistics | None) -> dict[str, Any]:
    """Those figures that say why media suffered."""
    names = (
        "frames_skipped",
        "late_max_ms",
        "discards",
        "digits_sent",
        "digits_received",
        "packets_missed",
        "media_gap",
    )
    return {name: getattr(figures, name) for name in names} if figures else {}


def heard(file: Path) -> float:
    """The tone's share of the energy of a recording, the median of its windows, so that a gap is none; 0 without it."""
    if not file.exists():
        return 0.0
    with wave.open(str(file)) as audio:
        samples = np.frombuffer(audio.readframes(audio.getnframes()), dtype="<i2").astype(float)
        rate = audio.getframerate()
    file.unlink()
    if len(samples) < rate:
        return 0.0
    size = round(rate * WINDOW)
    windows = samples[: len(samples) // size * size].reshape(-1, size) * np.hanning(size)
    spectra = np.abs(np.fft.rfft(windows)) ** 2
    middle = round(TONE * WINDOW)
    shares = spectra[:, middle - 3 : middle + 4].sum(axis=1) / np.maximum(spectra.sum(axis=1), 1.0)
    return float(np.median(shares))


async def lure(ua: UserAgent, target: str) -> None:
    """Call a peer that answers with anything; whatever it does ends this call only."""
    try:
        async with asyncio.timeout(3):
            call = await ua.invite(target, media="silence", ring_time=1)
            await asyncio.sleep(0.2)
            await call.bye()
    except (CallError, TimeoutError):
        return


async def serve(folder: Path, low: int, high: int) -> None:
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    canaries: list[Canary] = []
    lures: set[asyncio.Task[None]] = set()
    async with UserAgent("sip:canary@127.0.0.1", legs=("udp:127.0.0.1:0",), rtp_ports=(low, high)) as ua:
        while line := (await commands.readline()).decode():
            name, *words = line.split()
            answer: Any = None
            if name == "begin":
                calls = [await ua.invite(words[1], media=f"tone:{TONE}") for _ in range(int(words[0]))]
                canaries = [Canary(call, number, folder) for number, call in enumerate(calls)]
                answer = {"port": ua.legs[0].port, "calls": [each.known() for each in canaries]}
            elif name == "end":
                answer = await asyncio.gather(*(each.end() for each in canaries))
                canaries = []
            elif name == "lure" and len(lures) < LURES:
                task = asyncio.create_task(lure(ua, words[0]))
                lures.add(task)
                task.add_done_callback(lures.discard)
            if name == "entries":
                answer = len(worker_of(ua).actors.live) + worker_of(ua).entries.actors
            if name != "lure":
                sys.stdout.write(json.dumps(answer) + "\n")
                sys.stdout.flush()
        for task in lures:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
