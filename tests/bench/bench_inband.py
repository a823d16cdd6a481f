"""Cost of in-band digit detection per stream and frame of 20 ms, in microseconds of process CPU.

Run as `python -m tests.bench.bench_inband`. Prints a table and the same figures as one line of JSON. Two kinds of
audio: speech-like noise, where nearly every window is dismissed in the batch, and digits of 100 ms on every stream
at once, where each stream is followed on its own. CPU counts all threads; each figure is the best of several rounds,
so that a busy machine does not count.

Then whole media engines, whose streams send a tone to each other over loopback on a clock that is a number: CPU per
packet sent and received with in-band detection on every stream, over the same without, the rounds taking turns.
"""

import json
import select
import time

import numpy as np

from sipswarm.media.audio.g711 import PCMU
from sipswarm.media.digits.inband import KEYPAD, Detector, ToneGenerator
from sipswarm.media.engine import MediaEngine
from sipswarm.media.messages import ConfigureStream, OpenStream, StreamOpened

HOME = "127.0.0.1"
FRAME = 160
SECONDS = 2


def noise(streams: int) -> list[bytes]:
    """Low-pass noise that swells and fades like speech, for each stream its own."""
    rng = np.random.default_rng(1)
    white = rng.standard_normal((streams, SECONDS * 8000 + 8))
    smooth = sum(white[:, shift : shift + SECONDS * 8000] for shift in range(8)) / 8**0.5
    swell = 1 + np.sin(2 * np.pi * np.arange(SECONDS * 8000) / 2000 + rng.uniform(0, 6, (streams, 1)))
    return [PCMU.encode((row * 2500).astype(np.int16)) for row in smooth * swell]


def digits(streams: int) -> list[bytes]:
    """Digits of 100 ms with 100 ms between, all streams at once."""
    generator = ToneGenerator(PCMU)
    press = {digit: generator.frame(digit, 0, 1600, 800) for digit in KEYPAD}
    count = SECONDS * 5
    return [b"".join(press[KEYPAD[(stream + n) % 16]] for n in range(count)) for stream in range(streams)]


def cost(audio: list[bytes]) -> tuple[float, int]:
    """Microseconds per stream and frame, and digits found."""
    best = float("inf")
    found = 0
    for _ in range(5):
        detector = Detector()
        slots = [detector.add() for _ in audio]
        found = 0
        frames = [[stream[start : start + FRAME] for stream in audio] for start in range(0, SECONDS * 8000, FRAME)]
        began = time.process_time()
        for number, payloads in enumerate(frames):
            stamps = [number * FRAME] * len(slots)
            found += len(detector.process(PCMU, slots, payloads, stamps, number / 50))
        best = min(best, time.process_time() - began)
    return best / len(frames) / len(slots) * 1e6, found


class Loop:
    """An engine whose streams send a tone to each other in pairs."""

    def __init__(self, streams: int, methods: tuple[str, ...]) -> None:
        self.now = 1000.0
        self.engine = MediaEngine(clock=lambda: self.now)
        self.wait = select.poll()
        self.wait.register(self.engine.fileno(), select.POLLIN)
        for stream in range(streams):
            self.engine.handle(1, OpenStream(stream, HOME), self.now)
        opened = [event for _, event in self.engine.drain() if isinstance(event, StreamOpened)]
        for stream, own in enumerate(opened):
            self.engine.handle(1, self.configured(own.stream_id, opened[stream ^ 1].rtp_port, methods), self.now)
        self.run(1.0)

    @staticmethod
    def configured(stream: int, port: int, methods: tuple[str, ...]) -> ConfigureStream:
        return ConfigureStream(
            stream, remote_address=HOME, remote_port=port, dtmf_methods=methods, source=("tone", 400)
        )

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.005)):
            self.now += 0.005
            if self.wait.poll(0):
                self.engine.on_readable(self.now)
            self.engine.on_tick(self.now)
            self.engine.drain()

    def cost(self) -> float:
        """Microseconds per packet received and sent, over some seconds of audio."""
        before, began = sum(self.engine.totals.packets_received), time.process_time()
        self.run(SECONDS)
        took = time.process_time() - began
        return took / (sum(self.engine.totals.packets_received) - before) * 1e6


def engine_costs(streams: int) -> tuple[float, float]:
    """Cost without and with in-band detection."""
    loops = Loop(streams, ("rfc4733",)), Loop(streams, ("rfc4733", "inband"))
    rounds = [[loop.cost() for loop in loops] for _ in range(5)]
    for loop in loops:
        loop.engine.close()
    return min(without for without, _ in rounds), min(with_it for _, with_it in rounds)


def main() -> None:
    figures: dict[str, dict[str, float]] = {}
    print(f"{'streams':>8}{'noise':>10}{'digits':>10}   us per stream and 20 ms frame")
    for streams in (1, 100, 1000):
        quiet, none = cost(noise(streams))
        busy, found = cost(digits(streams))
        if none or found != streams * SECONDS * 5:
            raise SystemExit(f"{none} digits in noise, {found} of {streams * SECONDS * 5} digits found")
        figures[str(streams)] = {"noise_us": round(quiet, 2), "digits_us": round(busy, 2)}
        print(f"{streams:>8}{quiet:>10.2f}{busy:>10.2f}")
    print(
        f"{'streams':>8}{'without':>10}{'in-band':>10}{'ratio':>8}   us per packet pair of a whole engine; target 1.5"
    )
    for streams in (100, 1000):
        without, with_it = engine_costs(streams)
        ratio = with_it / without
        figures[f"engine_{streams}"] = {"without_us": round(without, 2), "inband_us": round(with_it, 2)}
        figures[f"engine_{streams}"]["ratio"] = round(ratio, 2)
        print(f"{streams:>8}{without:>10.2f}{with_it:>10.2f}{ratio:>8.2f}")
    print(json.dumps({"inband": figures}))


if __name__ == "__main__":
    main()
