"""The command line with real processes on loopback: as a user starts, scrapes and ends them.

In this process where possible, so that what it prints and returns is seen as it is; signals go to processes of their
own.
"""

import csv
import json
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sipswarm.actors.cli import main
from tests.interop.processes import descendants

WORKERS = ["--call-workers", "1", "--media-workers", "1"]
SECONDS = 30.0


class Running:
    """`sipswarm VERB …` as a process; lines of its standard output as they come."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sipswarm.actors.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def line(self) -> str:
        """The next line of its standard output."""
        return self._lines.get(timeout=SECONDS)

    def end(self, *numbers: signal.Signals, within: float = SECONDS) -> tuple[int, str]:
        """Send signals and wait, some seconds at most; the exit code and what it wrote on standard error."""
        for number in numbers:
            self.process.send_signal(number)
            time.sleep(0.3)
        code = self.process.wait(within)
        self._reader.join()
        assert self.process.stderr is not None
        return code, self.process.stderr.read()

    def close(self) -> None:
        """Whatever happened, nothing is left."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def answering(request: pytest.FixtureRequest) -> Iterator[tuple[Running, str, str]]:
    """`sipswarm answer` with the arguments of the test's parameter, its address and its metrics' URL."""
    arguments: Sequence[str] = getattr(request, "param", [])
    running = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "0", *WORKERS, *arguments)
    try:
        address = running.line().removeprefix("listening on udp:")
        url = running.line().removeprefix("metrics on ")
        yield running, address, url
    finally:
        running.close()


def summary_of(folder: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return summary


def was(code: int, expected: int) -> bool:
    """Whether a load ended as expected. A busy machine makes 98 of everything that comes after it in the order, which
    is right and not what these tests are about; the figures are compared besides.
    """
    return code in (expected, 98)


def planned_starts(rows: Sequence[Mapping[str, str]]) -> list[float]:
    """When the arrivals of calls.csv were due by the plan, in seconds from its start, in order."""
    return sorted(float(row["planned"]) for row in rows if row["planned"])


def rate_of(moments: Sequence[float]) -> float:
    """How many a second, from the first to the last."""
    return (len(moments) - 1) / (max(moments) - min(moments))


def scraped(url: str) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_load_against_answer_passes_and_both_sides_count_the_same(
    answering: tuple[Running, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running, address, url = answering
    arguments = "-m 20 -r 20 -d 1s --media silence --expect-media --dtmf 12 --threshold answered>=1 --fail-on-error"
    code = main(["load", f"echo@{address}", *arguments.split(), *WORKERS, "--out", str(tmp_path), "--metrics", "0"])
    shown = capsys.readouterr()
    assert was(code, 0), shown
    assert re.match(r"metrics on http://127\.0\.0\.1:\d+/metrics\ncalls: planned 20, attempted 20, ", shown.out)
    assert f"exit code {code})" in shown.out
    assert re.search(r"^time \d+s  calls \d+/20 ", shown.err, re.MULTILINE)
    summary = summary_of(tmp_path)
    assert summary["calls"]["answered"] == summary["calls"]["planned"] == 20
    assert summary["media"]["streams"] == 20
    assert summary["dtmf"]["sent"] == 40
    assert {each["name"] for each in summary["processes"]} >= {"dispatcher", "call-0", "media-0"}
    with (tmp_path / "calls.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["id"] for row in rows}) == 20
    assert planned_starts(rows) == [pytest.approx(number / 20, abs=1e-6) for number in range(20)]
    assert summary["rate"]["achieved"] == pytest.approx(rate_of([float(row["start"]) for row in rows]), rel=0.01)
    assert {(row["outcome"], row["code"], row["failure"]) for row in rows} == {("answered", "200", "")}
    assert all(float(row["duration"]) >= 0.99 for row in rows), "a digit that comes back cuts no call short"
    deadline = time.monotonic() + 5
    attempts = ("sipswarm_call_attempts_total", "uas")
    while time.monotonic() < deadline:
        samples = scraped(url)
        digits = samples["sipswarm_dtmf_events_total", "received", "rfc4733"]
        calls = sum(value for key, value in samples.items() if key[:2] == attempts)
        if (calls, digits) == (20, 40):
            break
        time.sleep(0.2)
    assert (calls, digits) == (20, 40)
    assert samples["sipswarm_process_up", "call", "call-0"] == 1
    code, errors = running.end(signal.SIGTERM)
    assert code == 0, errors


@pytest.mark.parametrize("answering", [["--codec", "opus,g722,l16,pcma"]], indirect=True)
def test_each_codec_is_spoken_both_ways_with_digits_beside_it(
    answering: tuple[Running, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("av", reason="G.722 and Opus need the extra audio")
    running, address, _ = answering
    for codec in ("opus", "g722", "l16", "pcma"):
        arguments = ["--codec", codec, "--dtmf", "42", "-d", "1s", "--quiet"]
        assert main(["call", f"echo@{address}", *arguments]) == 0
        found = re.search(r"^media: RTP sent (\d+), received (\d+), lost 0", capsys.readouterr().out, re.M)
        assert found is not None, codec
        assert min(map(int, found.groups())) >= 20, codec
    code, errors = running.end(signal.SIGTERM)
    assert code == 0, errors
    assert "digits 8" in errors


@pytest.mark.parametrize("answering", [["--status", "486"]], indirect=True)
def test_refused_calls_fail_the_run_and_a_threshold_decides_instead(
    answering: tuple[Running, str, str], tmp_path: Path
) -> None:
    load = ["load", answering[1], "-m", "5", "-r", "50", *WORKERS, "--out", str(tmp_path), "--quiet"]
    code = main(load)
    assert was(code, 1)
    summary = summary_of(tmp_path)
    assert summary["verdict"] == ("calls_failed" if code == 1 else "untrustworthy")
    assert summary["calls"]["outcomes"] == {"busy": 5}
    assert was(main([*load, "--threshold", "answered<0.1"]), 0)
    assert was(main([*load, "--threshold", "answered>0.9"]), 99)
    assert summary_of(tmp_path)["thresholds"] == [
        {"expression": "answered>0.9", "value": 0.0, "passed": False, "so_far": False}
    ]
    assert was(main([*load, "--expect-code", "486"]), 0)
    assert was(main([*load, "--expect-code", "480"]), 1)


@pytest.mark.parametrize("answering", [["--media", "silence"]], indirect=True)
def test_audio_that_cannot_be_heard_or_is_not_good_enough_fails_by_name(
    answering: tuple[Running, str, str], tmp_path: Path
) -> None:
    load = ["load", answering[1], "-m", "3", "-r", "10", "-d", "2s", "--media", "tone", *WORKERS, "--quiet"]
    for expected, failures in (
        (["--expect-media", "--expect-mos", "4.3", "--expect-code", "200"], set()),
        (["--expect-audio"], {"audio"}),
        (["--expect-mos", "4.5"], {"mos"}),
    ):
        assert was(main([*load, *expected, "--out", str(tmp_path)]), 1 if failures else 0), expected
        with (tmp_path / "calls.csv").open(newline="") as file:
            assert {row["failure"] for row in csv.DictReader(file)} - {""} == failures, expected
        assert summary_of(tmp_path)["calls"]["failed"] == (3 if failures else 0)


def test_expectations_that_exclude_each_other_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    load = ["load", "127.0.0.1:5070", "-m", "1", "--media", "tone"]
    assert main([*load, "--expect-code", "486", "--expect-audio"]) == 2
    assert "a call that is refused with 486 has no media" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ("--expect-media", True),
        ("--expect-media -d 0s", True),
        ("--expect-mos 4", True),
        ("--expect-audio -d 0s", True),
        ("--media-share 0.5", True),
        ("--expect-media -d 1s", False),
        ("--expect-dtmf = --dtmf 1", False),
        ("", False),
    ],
)
def test_calls_that_are_too_short_for_the_media_that_is_expected_are_refused(
    capsys: pytest.CaptureFixture[str], options: str, refused: bool
) -> None:
    load = ["load", "127.0.0.1:5070", "-m", "1", "--local-port", "0", "--media", "silence", *options.split()]
    assert (main(["check", *load]) == 2) == refused
    assert ("without a hold (-d) calls end before media can come" in capsys.readouterr().err) == refused


def test_results_that_cannot_be_written_fail_the_run(
    answering: tuple[Running, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report.html").mkdir()
    assert main(["load", answering[1], "-m", "1", *WORKERS, "--out", str(tmp_path), "--quiet"]) == 1
    assert f"{tmp_path} cannot be written: Is a directory" in capsys.readouterr().out


def test_sighup_leaves_the_built_in_robot_as_it_is(answering: tuple[Running, str, str], tmp_path: Path) -> None:
    running, address, _ = answering
    running.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    main(["load", address, "-m", "2", *WORKERS, "--out", str(tmp_path), "--quiet"])
    assert summary_of(tmp_path)["calls"]["answered"] == 2
    code, errors = running.end(signal.SIGTERM)
    assert code == 0
    assert "ended with status" not in errors


def test_the_demo_checks_every_digit_and_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["demo", "-m", "6", "-r", "6", *WORKERS, "--out", str(tmp_path), "--quiet"])
    shown = capsys.readouterr()
    assert was(code, 0), shown
    assert "digits: sent 24, received 24, missed 0, wrong 0" in shown.out
    assert re.search(r"the answering side: calls 6, .* digits received 24, sent back 24", shown.out)
    assert not shown.err
    summary = summary_of(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {
        *("report.html", "summary.json", "timeline.csv", "calls.csv", "junit.xml")
    }
    assert re.search(r"^metrics on http://127\.0\.0\.1:\d+/metrics$", shown.out, re.MULTILINE)
    assert f"report: {tmp_path / 'report.html'}\n" in shown.out
    assert [each["name"] for each in summary["processes"] if "supervisor" in each["name"]] == ["load-supervisor"]
    assert summary["exit_code"] == code
    assert summary["media"]["streams"] == 6
    assert summary["media"]["one_way_calls"] == 0


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([signal.SIGINT], 105), ([signal.SIGUSR1], 0), ([signal.SIGINT, signal.SIGTERM], 105)],
    ids=["SIGINT", "SIGUSR1", "SIGINT and SIGTERM"],
)
def test_a_signal_ends_a_load_in_order(
    answering: tuple[Running, str, str], tmp_path: Path, numbers: list[signal.Signals], expected: int
) -> None:
    hold = "1s" if len(numbers) == 1 else "60s"
    load = Running(
        "load",
        answering[1],
        "-r",
        "10",
        "--duration",
        "1h",
        "-d",
        hold,
        *WORKERS,
        "--out",
        str(tmp_path),
        "--metrics",
        "0",
    )
    try:
        url = load.line().removeprefix("metrics on ")
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if scraped(url).get(("sipswarm_call_attempts_total", "uac", "call"), 0) >= 5:
                break
            time.sleep(0.2)
        code, errors = load.end(*numbers)
    finally:
        load.close()
    assert was(code, expected), errors
    summary = summary_of(tmp_path)
    assert summary["exit_code"] == code
    assert summary["calls"]["attempted"] >= 5
    assert sum(summary["calls"]["outcomes"].values()) == summary["calls"]["attempted"]


def test_a_stop_file_ends_a_load_in_order(answering: tuple[Running, str, str], tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    plan = ["-r", "10", "--duration", "1h", "-d", "1s", "--metrics", "0", "--out", str(tmp_path / "out")]
    load = Running("load", answering[1], *plan, *WORKERS, "--stop-file", str(stop))
    try:
        url = load.line().removeprefix("metrics on ")
        deadline = time.monotonic() + SECONDS
        while scraped(url).get(("sipswarm_call_attempts_total", "uac", "call"), 0) < 5:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        stop.touch()
        code, errors = load.end()
    finally:
        load.close()
    assert was(code, 0), errors
    assert f"--stop-file {stop} is there: no new calls" in errors
    calls = summary_of(tmp_path / "out")["calls"]
    assert calls["attempted"] >= 5
    assert sum(calls["outcomes"].values()) == calls["attempted"]


def test_an_early_end_forgets_no_call_that_a_bound_kept_from_starting(
    answering: tuple[Running, str, str], tmp_path: Path
) -> None:
    strict = ["--threshold", "answered>=1", "--threshold", "failed<=0", "--fail-on-error"]
    plan = ["-r", "20", "--duration", "1h", "-d", "2s", "--max-calls", "2", "--metrics", "0", "--out", str(tmp_path)]
    load = Running("load", answering[1], *plan, *strict, "--call-workers", "1", "--media-workers", "1")
    try:
        url = load.line().removeprefix("metrics on ")
        dropped = "sipswarm_calls_dropped_total", "overload", "call"
        deadline = time.monotonic() + SECONDS
        while not scraped(url).get(dropped) and time.monotonic() < deadline:
            time.sleep(0.2)
        code, errors = load.end(signal.SIGUSR1)
    finally:
        load.close()
    assert code == 98, errors
    summary = summary_of(tmp_path)
    assert summary["failures"][0]["reason"] == "overload"
    assert summary["blame"]["generator"] == summary["failures"][0]["calls"] > 0
    assert summary["calls"]["planned"] == summary["calls"]["attempted"] + summary["blame"]["generator"]


@pytest.mark.parametrize("numbers", [[signal.SIGINT], [signal.SIGUSR1]], ids=str)
def test_answer_ends_with_0_on_a_signal(answering: tuple[Running, str, str], numbers: list[signal.Signals]) -> None:
    code, errors = answering[0].end(*numbers)
    assert code == 0, errors


def test_busy_ports_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip, socket.socket() as web:
        sip.bind(("127.0.0.1", 0))
        web.bind(("127.0.0.1", 0))
        web.listen()
        sip_port, web_port = sip.getsockname()[1], web.getsockname()[1]
        assert main(["answer", "-p", str(sip_port), "--metrics", "off", *WORKERS]) == 2
        assert f"udp:127.0.0.1:{sip_port}" in capsys.readouterr().err
        assert main(["answer", "-p", "0", "--metrics", str(web_port), *WORKERS]) == 2
        assert f"127.0.0.1:{web_port} cannot be used" in capsys.readouterr().err
        out = tmp_path / "out"
        load = ["load", "127.0.0.1", "-m", "1", "-p", str(sip_port), *WORKERS, "--out", str(out)]
        assert main(load) == 2
        assert not out.exists()


def test_no_process_is_left_behind() -> None:
    children = [int(pid) for each in Path("/proc/self/task").glob("*/children") for pid in each.read_text().split()]
    ours = [pid for pid in children if b"actors." in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert not ours


def test_no_process_of_a_node_writes_a_core_or_a_file_for_others(answering: tuple[Running, str, str]) -> None:
    """Keys and telephone numbers are in its memory."""
    running = answering[0]
    pids = [running.process.pid, *descendants(running.process.pid)]
    assert len(pids) >= 5, "supervisor, starter, dispatcher, call and media worker"
    for pid in pids:
        assert re.search(r"Max core file size +0 +0 ", Path(f"/proc/{pid}/limits").read_text())
        assert re.search(r"Umask:\s+0077", Path(f"/proc/{pid}/status").read_text())
