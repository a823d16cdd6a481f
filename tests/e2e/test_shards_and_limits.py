"""What is promised of the whole of a load holds for the sum of its call workers and shards, counted at the peer."""

import asyncio
import csv
import json
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.config import Listener, LoadConfig, NodeConfig
from sipswarm.actors.host.roll import PlanFigures
from sipswarm.actors.load.schedule import Plan
from sipswarm.actors.supervisor.node_totals import NodeTotals
from sipswarm.actors.supervisor.supervisor import Supervisor
from tests.e2e.counting_uas import CountingUas
from tests.e2e.test_command_line import was

QUIET = ["--quiet", "--metrics", "off", "--media-workers", "1"]


def load(uas: CountingUas, out: Path, options: str, *more: str) -> tuple[int, dict[str, Any]]:
    """Run a load against the UAS; its exit code and summary.

    options: words separated by spaces.
    """
    code = main(["load", f"bob@{uas.address}", *options.split(), *more, *QUIET, "--out", str(out)])
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return code, summary


def scenario(tmp_path: Path, text: str, rows: str = "") -> list[str]:
    """The options of a scenario and its rows."""
    file, data = tmp_path / "scenario.py", tmp_path / "rows.csv"
    file.write_text(textwrap.dedent(text))
    data.write_text(rows)
    return ["--scenario", str(file), *(["--data", str(data)] if rows else [])]


CALLS_ITS_ROW = """
    import asyncio

    async def scenario(ua, row):
        call = await ua.invite(f"sip:{row.field(0)}@{ua.target.partition('@')[2]}", media="none")
        await asyncio.sleep({hold})
        await call.bye()
"""


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_shard_of_any_number_of_workers_starts_all_that_is_planned(tmp_path: Path, workers: int) -> None:
    with CountingUas() as uas:
        code, summary = load(uas, tmp_path, "-m 10 -r 20 --shard 2/2 --call-workers", str(workers))
    assert code in (0, 98), summary
    assert (summary["calls"]["planned"], summary["calls"]["attempted"], len(uas.users)) == (5, 5, 5)
    assert (summary["run"]["shard"], summary["run"]["shards"]) == (2, 2)


def test_shards_with_unequal_numbers_of_workers_take_every_row_once(tmp_path: Path) -> None:
    rows = "SEQUENTIAL\n" + "".join(f"user{number}\n" for number in range(11))
    options = scenario(tmp_path, CALLS_ITS_ROW.replace("{hold}", "0"), rows)
    lines: list[str] = []
    with CountingUas() as uas:
        for shard, workers in ((1, 2), (2, 3), (3, 1)):
            code, summary = load(
                uas,
                tmp_path / str(shard),
                f"-m 11 -r 40 --shard {shard}/3 --call-workers {workers}",
                *options,
            )
            assert code in (0, 98), summary
            assert summary["calls"]["planned"] == summary["calls"]["attempted"]
            text = (tmp_path / str(shard) / "calls.csv").read_text()
            lines += [row["data_line"] for row in csv.DictReader(text.splitlines())]
    assert Counter(uas.users) == Counter(f"user{number}" for number in range(11))
    assert (len(lines), len(set(map(int, lines)))) == (11, 11), "each row is named in calls.csv by its line"


def test_a_shard_without_a_call_of_the_plan_has_passed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with CountingUas() as uas:
        code, summary = load(uas, tmp_path, "-m 2 --shard 3/3 --threshold answered>=1 --call-workers 2")
    assert code in (0, 98), summary
    assert summary["calls"]["planned"] == summary["calls"]["attempted"] == len(uas.users) == 0
    if code == 0:
        assert "shard 3/3 has no call of the plan" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("limit", "workers"),
    [
        (1, 3),
        pytest.param(2, 3, marks=pytest.mark.slow),
        pytest.param(4, 2, marks=pytest.mark.slow),
        (5, 2),
        (10, 3),
        (2, 1),
    ],
)
def test_no_more_calls_are_live_than_the_limit_allows(tmp_path: Path, limit: int, workers: int) -> None:
    with CountingUas() as uas:
        code, summary = load(uas, tmp_path, f"-l {limit} -m 60 -r 60 -d 400ms --call-workers {workers}")
    calls = summary["calls"]
    assert code in (0, 98), summary
    assert uas.most == limit, "and no fewer, because the rate would make twice as many and more"
    assert calls["max_concurrent"] == limit
    assert calls["attempted"] == len(uas.users)
    assert calls["attempted"] + calls["dropped"] == calls["planned"] == 60


@pytest.mark.parametrize("workers", [1, 3])
def test_calls_that_never_overlap_are_all_placed_with_a_limit_of_one(tmp_path: Path, workers: int) -> None:
    with CountingUas() as uas:
        code, summary = load(uas, tmp_path, f"-l 1 -m 5 -r 1 --call-workers {workers}")
    assert code in (0, 98), summary
    assert (len(uas.users), summary["calls"]["dropped"], summary["calls"]["max_concurrent"]) == (5, 0, 1)


def test_the_limit_of_the_whole_is_split_among_the_shards(tmp_path: Path) -> None:
    with CountingUas() as uas:
        for shard, share in ((1, 2), (2, 1)):
            uas.most = 0
            options = f"-l 3 -m 60 -r 60 -d 400ms --call-workers 2 --shard {shard}/2"
            _, summary = load(uas, tmp_path / str(shard), options)
            assert uas.most == summary["calls"]["max_concurrent"] == share


def test_the_calls_of_a_scenario_are_bound_by_the_limit_too(tmp_path: Path) -> None:
    text = """
        import asyncio
        from sipswarm.actors.errors import Overloaded

        async def scenario(ua, row):
            first = await ua.invite(ua.target, media="none")
            try:
                second = await ua.invite(ua.target, media="none")
            except Overloaded:
                second = None
            await asyncio.sleep(0.2)
            await first.bye()
            if second is not None:
                await second.bye()
    """
    with CountingUas() as uas:
        code, summary = load(uas, tmp_path, "-l 3 -m 40 -r 40 --call-workers 2", *scenario(tmp_path, text))
    assert code in (0, 98), summary
    assert uas.most == summary["calls"]["max_concurrent"] == 3


def test_calls_of_an_agent_that_setup_made_are_bound_by_the_limit_too(tmp_path: Path) -> None:
    text = """
        import asyncio
        from sipswarm import Overloaded

        async def setup(ua):
            global other
            other = ua.another("sip:other@127.0.0.1")

        async def scenario(ua, row):
            for _ in range(2):
                try:
                    call = await other.invite(ua.target, media="none")
                except Overloaded:
                    return
                await asyncio.sleep(0.05)
                await call.bye()
    """
    with CountingUas() as uas:
        _, summary = load(uas, tmp_path, "-l 4 -m 40 -r 40 --call-workers 2", *scenario(tmp_path, text))
    assert 1 <= uas.most <= 4
    assert summary["calls"]["max_concurrent"] <= 4
    assert len(uas.users) > 4, "what is over makes room"


TWO_CALLS = """
    import asyncio

    async def setup(ua):
        global other
        other = ua.another("sip:other@127.0.0.1")

    async def scenario(ua, row):
        calls = [await caller.invite(ua.target, media="none") for caller in ({callers})]
        await asyncio.sleep(0.2)
        for call in calls:
            await call.bye()
"""
PORTS = "40100-40100"  # of one call: nobody else takes it, for other tests use free ones
LEASES = """
    async def scenario(ua, row):
        await ua.reserve_media(2)
"""


@pytest.mark.parametrize(
    ("text", "options", "code", "reason", "blame", "mend"),
    [
        (TWO_CALLS.replace("{callers}", "ua, ua"), "-l 1", 107, "limit", "plan", "raise -l"),
        (TWO_CALLS.replace("{callers}", "other, other"), "-l 1", 107, "limit", "plan", "raise -l"),
        (TWO_CALLS.replace("{callers}", "ua, ua"), "--max-calls 1", 98, "overload", "generator", "raise --max-calls"),
        (LEASES, f"--rtp-ports {PORTS}", 98, "no_port", "generator", "widen --rtp-ports"),
    ],
    ids=["of-the-run", "of-an-agent-of-setup", "of-the-worker", "of-ports"],
)
@pytest.mark.parametrize("threshold", [(), ("--threshold", "answered>=0")], ids=["plain", "threshold"])
def test_a_scenario_that_runs_into_a_bound_is_told_which(
    tmp_path: Path, text: str, options: str, code: int, reason: str, blame: str, mend: str, threshold: tuple[str, ...]
) -> None:
    with CountingUas() as uas:
        found, summary = load(
            uas, tmp_path, f"{options} -m 2 -r 2 --call-workers 1", *threshold, *scenario(tmp_path, text)
        )
    assert was(found, code), summary
    named = {each["reason"]: each for each in summary["failures"]}
    assert named[reason]["blame"] == blame
    assert mend in named[reason]["meaning"]


THREE_CALLS = """
    import asyncio

    async def scenario(ua, row):
        for _ in range(3):
            call = await ua.invite(ua.target, media="none")
            await asyncio.sleep(0.6)
            await call.bye()
"""
STRICT = ("--threshold", "answered>=1", "--threshold", "completed>=1", "--threshold", "failed<=0", "--fail-on-error")


@pytest.mark.parametrize("strict", [(), STRICT], ids=["plain", "strict"])
def test_runs_that_a_bound_kept_from_starting_are_not_made_up_for_by_the_calls_of_others(
    tmp_path: Path, strict: tuple[str, ...]
) -> None:
    with CountingUas() as uas:
        options = "--max-calls 2 -m 6 -r 40 --call-workers 1"
        code, summary = load(uas, tmp_path, options, *strict, *scenario(tmp_path, THREE_CALLS))
    assert code == 98, summary
    assert summary["calls"]["answered"] == len(uas.users) == 6
    assert [(each["reason"], each["calls"]) for each in summary["failures"]] == [("overload", 4)]
    assert summary["blame"] == {"sut": 0, "generator": 4, "plan": 0}


@pytest.mark.parametrize("workers", [1, 2])
def test_one_row_serves_all_calls_that_never_overlap(tmp_path: Path, workers: int) -> None:
    options = scenario(tmp_path, CALLS_ITS_ROW.replace("{hold}", "0"), "USER\nanna\n")
    with CountingUas() as uas:
        code, summary = load(uas, tmp_path, f"-m 5 -r 1 --call-workers {workers}", *options)
    assert code in (0, 98), summary
    assert (uas.users, summary["calls"]["dropped"]) == (["anna"] * 5, 0)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_row_of_users_serves_one_live_call_at_a_time_over_all_workers(tmp_path: Path, workers: int) -> None:
    options = scenario(tmp_path, CALLS_ITS_ROW.replace("{hold}", "0.3"), "USER\nanna\nben\ncleo\ndora\n")
    with CountingUas() as uas:
        code, summary = load(uas, tmp_path, f"-m 60 -r 60 --call-workers {workers}", *options)
    assert code in (0, 98), summary
    assert (uas.most, uas.most_of_a_user) == (4, 1)
    assert sorted(uas.users[:4]) == ["anna", "ben", "cleo", "dora"]
    assert summary["calls"]["attempted"] + summary["calls"]["dropped"] == 60


def test_random_digits_differ_between_shards_and_depend_on_seed_and_arrival_alone(tmp_path: Path) -> None:
    options = "-m 4 -r 10 -d 1s --media silence --dtmf ??????"

    def digits(name: str, *more: str) -> list[str]:
        with CountingUas() as uas:
            load(uas, tmp_path / name, options, *more)
        return sorted(uas.digits.values())

    whole = digits("whole", "--call-workers", "1")
    shards = [digits(f"shard{shard}", "--call-workers", "2", "--shard", f"{shard}/2") for shard in (1, 2)]
    assert len(set(whole)) == 4
    assert all(len(each) == 6 for each in whole)
    assert sorted(shards[0] + shards[1]) == whole
    assert digits("another seed", "--call-workers", "1", "--seed", "2") != whole


@pytest.mark.parametrize("arrival", ["fixed", "poisson"])
def test_a_rate_that_is_changed_on_the_way_starts_what_the_changed_plan_has(arrival: str) -> None:
    """Also in the worker that had nothing more to start before the change."""

    async def main(target: str) -> tuple[PlanFigures, int | None]:
        plan = LoadConfig(target, rate=2.0, arrival=arrival, duration=5.0)  # of which each change is far from the end
        config = NodeConfig("", (Listener("udp", "127.0.0.1", 0),), 0, call_workers=3, load=plan)
        supervisor = Supervisor(config, node_totals=NodeTotals())
        await supervisor.start()
        changed = Plan.of(plan)
        try:
            async with asyncio.timeout(30):
                for pause, rate in ((0.5, 0.0), (0.4, 5.0), (0.6, 30.0)):
                    await asyncio.sleep(pause)
                    changed = changed.changed(rate, supervisor.set_rate(rate))
                await supervisor.wait()
        finally:
            await supervisor.close()
        return supervisor.plan_figures, changed.planned()

    with CountingUas() as uas:
        counts, planned = asyncio.run(main(f"sip:bob@{uas.address}"))
    assert planned is not None
    assert planned > 10
    assert counts == PlanFigures(begun=3, arrivals=planned, started=planned)
    assert len(uas.users) == planned


def test_rows_of_users_that_do_not_suffice_for_the_shards_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = scenario(tmp_path, CALLS_ITS_ROW, "USER\nanna\n")
    assert main(["load", "127.0.0.1:5070", "-m", "4", "--shard", "1/2", *options, "--out", str(tmp_path / "out")]) == 2
    assert "1 rows over 2 shards" in capsys.readouterr().err


def test_check_shows_the_share_of_the_shard(capsys: pytest.CaptureFixture[str]) -> None:
    options = "127.0.0.1:5070 -m 11 -r 10 -l 5 -d 60s --shard 3/4 --local-port 0"
    main(["check", "load", *options.split()])
    shown = capsys.readouterr().out
    assert "schedule: 3 calls" in shown
    assert "at most 2.5 calls/s (shard 3/4 of 10 calls/s)" in shown
    assert "live calls at the peak: 1\n" in shown
