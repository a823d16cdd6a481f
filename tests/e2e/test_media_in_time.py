"""Audio that is there for a part of the call, through real processes: no expectation passes it, a good one passes all.

One robot misbehaves by the user that is called: it stops early, starts late, pauses, stays silent, or does nothing
wrong.
"""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.cli import main
from tests.e2e.test_command_line import WORKERS, Running, was
from tests.e2e.waiting import ATTEMPTS, again_after_a_stop

ROBOT = """
import asyncio

STEPS = {
    "well": (),
    "stops": ((0.4, "none"),),
    "late": ((0.0, "none"), (2.2, "tone")),
    "pauses": ((0.5, "none"), (1.2, "tone")),
    "dead": ((0.0, "none"),),
}

async def robot(call):
    await call.answer()
    user = str(call.invite_request.uri).partition(":")[2].partition("@")[0]
    for pause, source in STEPS[user]:
        await asyncio.sleep(pause)
        call.play((source, 440.0) if source == "tone" else (source,))
    await call.over()
"""


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the robot."""
    file = tmp_path_factory.mktemp("robot") / "robot.py"
    file.write_text(ROBOT)
    running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)
    try:
        yield running.line().removeprefix("listening on udp:")
    finally:
        running.close()


def load(address: str, user: str, out: Path, *more: str) -> tuple[int, dict[str, Any], list[dict[str, str]]]:
    """Four calls of 3 s; exit code, media of the summary, rows. It is run again where the machine was too busy."""
    arguments = ["-m", "4", "-r", "10", "-d", "3s", "--media", "tone", *WORKERS, "--quiet", "--out", str(out)]
    for _ in range(ATTEMPTS):
        code = main(["load", f"{user}@{address}", *arguments, *more])
        if code != 98:
            break
    with (out / "calls.csv").open(newline="") as file:
        return code, json.loads((out / "summary.json").read_text())["media"], list(csv.DictReader(file))


THRESHOLDS = ("loss.max<0.01", "mos.p5>4", "received_ratio.min>=0.99", "gap.max<0.5", "media_share.min>0.95")


@pytest.mark.parametrize(
    ("user", "present", "gap", "one_way"),
    [("stops", 0.4, 2.6, 4), ("late", 0.8, 2.2, 0), ("pauses", 1.8, 1.2, 0)],
)
def test_media_for_a_part_of_the_call_passes_no_expectation(
    robot: str, tmp_path: Path, user: str, present: float, gap: float, one_way: int
) -> None:
    code, media, rows = load(robot, user, tmp_path, "--expect-media", *(f"--threshold={each}" for each in THRESHOLDS))
    assert was(code, 99)
    judged = json.loads((tmp_path / "summary.json").read_text())["thresholds"]
    assert [each["passed"] for each in judged] == [False] * len(THRESHOLDS)
    assert [row["failure"] for row in rows] == ["media_share"] * 4
    for row in rows:
        assert float(row["media_due"]) == pytest.approx(3.0, abs=0.3)
        assert float(row["media_present"]) == pytest.approx(present, abs=0.4)
        assert float(row["media_gap"]) == pytest.approx(gap, abs=0.4)
        assert row["rtp_lost"] == "0", "no sequence number is missing"
        assert int(row["rtp_missed"]) == pytest.approx(50 * gap, abs=25)
    assert media["one_way_calls"] == one_way
    assert media["gap_max"] == pytest.approx(gap, abs=0.4)
    assert media["rtp_missed"] == sum(int(row["rtp_missed"]) for row in rows)
    assert "media_share_min" in media


def test_the_expectation_alone_fails_the_run_unless_less_is_asked_for(robot: str, tmp_path: Path) -> None:
    code, _, rows = load(robot, "stops", tmp_path, "--expect-media")
    assert was(code, 1)
    assert [row["failure"] for row in rows] == ["media_share"] * 4
    code, _, rows = load(robot, "stops", tmp_path, "--media-share", "0.05")
    assert was(code, 0)
    assert [row["failure"] for row in rows] == [""] * 4


@pytest.mark.parametrize(
    ("user", "code", "failure"), [("dead", 1, "silent"), ("stops", 1, "silent"), ("late", 1, "silent")]
)
def test_a_load_holds_a_call_without_rtp_as_planned_and_fails_it(
    robot: str, tmp_path: Path, user: str, code: int, failure: str
) -> None:
    """Other verbs hang up after --rtp-timeout; a load reports it, so that its load stays what was asked for."""
    found, _, rows = load(robot, user, tmp_path, "--rtp-timeout", "1s")
    assert was(found, code)
    assert [(row["failure"], row["blame"], row["ended_by"]) for row in rows] == [(failure, "sut", "local")] * 4
    assert all(float(row["duration"]) > 2.9 for row in rows)


def test_a_dead_peer_is_in_every_figure(robot: str, tmp_path: Path) -> None:
    code, media, rows = load(robot, "dead", tmp_path, *(f"--threshold={each}" for each in THRESHOLDS))
    assert was(code, 99)
    judged = json.loads((tmp_path / "summary.json").read_text())["thresholds"]
    assert [each["passed"] for each in judged] == [False] * len(THRESHOLDS)
    assert media["one_way_calls"] == 4
    assert {row["mos"] for row in rows} == {"1.000000"}


def test_media_that_is_there_all_the_time_passes_every_expectation(robot: str, tmp_path: Path) -> None:
    wanted = ["--expect-media", "--fail-on-error", *(f"--threshold={each}" for each in THRESHOLDS)]
    code, media, rows = load(robot, "well", tmp_path, *wanted)
    assert was(code, 0)
    assert [row["failure"] for row in rows] == [""] * 4
    assert media["one_way_calls"] == 0
    assert media["received_ratio"] >= 0.99


@pytest.mark.parametrize(("user", "share"), [("well", (2.6, 3.3)), ("stops", (0.3, 0.9))])
@again_after_a_stop
def test_a_call_shows_for_how_long_media_was_there(
    robot: str, user: str, share: tuple[float, float], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["call", f"{user}@{robot}", "-d", "3s", "--quiet"])
    shown = capsys.readouterr().out
    found = re.search(
        r"^media was due for (\S+) s and there for (\S+) s: received (\d+) of (\d+) packets due, longest gap (\S+) s$",
        shown,
        re.MULTILINE,
    )
    assert found is not None, shown
    due, present, received, packets, gap = map(float, found.groups())
    assert due == pytest.approx(3.0, abs=0.3)
    assert share[0] <= present <= share[1]
    assert packets == pytest.approx(150, abs=15)
    mos = float(shown.rpartition("MOS ")[2])
    if user == "well":
        assert packets - received <= 3
        assert gap < 0.5
        assert mos > 4
    else:
        assert packets - received > 90
        assert gap > 2
        assert mos < 2
