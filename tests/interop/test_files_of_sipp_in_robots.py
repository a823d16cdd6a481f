"""Files of SIPp run by `sipswarm robot -sf` under SIPp as caller: both sides succeed and count the same calls."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from sipswarm.actors.sipp.scenario_file import text_of

from .conftest import Start
from .node import LoadResult, NodeRun, load
from .processes import LOOPBACK, free_port, own_host, wait_until
from .sipp import SCENARIOS, Sipp, Verdict

CALLS = 60


def short(folder: Path, name: str) -> str:
    """A file with a built-in scenario whose long pauses are short."""
    path = folder / f"short_{name}.xml"
    text = text_of(name)
    for milliseconds in (4000, 5000):
        text = text.replace(f'milliseconds="{milliseconds}"', 'milliseconds="200"')
    path.write_text(text)
    return str(path)


class Callee(NodeRun):
    """`sipswarm robot -sf FILE`."""

    def __init__(
        self,
        folder: Path,
        file: Sequence[str],
        arguments: Sequence[str] = (),
        *,
        transport: str = "udp",
        host: str = "",
    ) -> None:
        self.host = host or own_host()
        self.port = free_port(self.host)
        self.records = folder / "callee.cdr"
        listen = ["--listen", f"{transport}:{self.address}", "--cdr", str(self.records), "--media-workers", "1"]
        super().__init__(folder, "robot", [*file, *listen, *arguments])

    @property
    def address(self) -> str:
        """`host:port`, as it stands in a SIP URI."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def rows(self) -> list[dict[str, object]]:
        """Its records, when there is one of each call."""

        def read() -> list[dict[str, object]]:
            return [json.loads(line) for line in self.records.read_text().splitlines()]

        wait_until(lambda: len(read()) >= CALLS, 30, lambda: f"{CALLS} records, there are {len(read())}")
        return read()


def called(
    folder: Path, start: Start, caller: str, callee: Callee, *, transport: str = "u1", host: str = LOOPBACK
) -> Verdict:
    """Have SIPp call a robot."""
    callee.ready()
    run = start(
        Sipp(
            folder,
            "caller",
            remote=callee.address,
            scenario=caller,
            calls=CALLS,
            seconds=60,
            options=["-r", "60", "-d", "100"],
            transport=transport,
            host=host,
        )
    )
    return run.verdict()


@pytest.mark.parametrize(
    ("transport", "host"),
    [
        pytest.param("u1", LOOPBACK, id="udp"),
        pytest.param("un", LOOPBACK, id="a-udp-socket-per-call", marks=pytest.mark.slow),
        pytest.param("u1", "::1", id="udp6", marks=pytest.mark.slow),
        pytest.param("t1", LOOPBACK, id="tcp", marks=pytest.mark.slow),
        pytest.param("tn", LOOPBACK, id="a-tcp-connection-per-call"),
    ],
)
def test_the_caller_of_sipp_is_answered_by_our_callee(tmp_path: Path, start: Start, transport: str, host: str) -> None:
    listen = "udp" if transport.startswith("u") else "tcp"
    options = ["--call-workers", "2"]
    file = ["-sf", short(tmp_path, "uas")]
    callee = start(Callee(tmp_path, file, options, transport=listen, host="" if host == LOOPBACK else host))
    verdict = called(tmp_path, start, "uac", callee, transport=transport, host=host)
    assert verdict.exit_code == 0, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == CALLS, verdict.account
    metrics = callee.counted("sipswarm_calls_finished_total", CALLS, role="uas", outcome="answered")
    assert metrics.total("sipswarm_call_attempts_total", role="uas") == CALLS
    assert metrics.total("sipswarm_calls_completed_total", role="uas", ended_by="remote") == CALLS
    rows = callee.rows()
    assert {row["failure"] for row in rows} == {""}
    assert len({row["id"] for row in rows}) == CALLS


def test_a_callee_that_fails_sometimes_says_the_same_as_sipp(tmp_path: Path, start: Start) -> None:
    """The file of SIPp's own tests: its callers see the refusals, whoever runs it."""
    file = str(SCENARIOS / "uas_busy.xml")
    callee = start(Callee(tmp_path, ["-sf", file], ["--call-workers", "2"]))
    verdict = called(tmp_path, start, "uac_is_refused.xml", callee)
    assert verdict.calls("TotalCallCreated") == CALLS, verdict.account
    metrics = callee.counted("sipswarm_calls_finished_total", CALLS, role="uas")
    assert metrics.total("sipswarm_call_attempts_total", role="uas") == CALLS
    assert {(row["code"], row["outcome"]) for row in callee.rows()} == {(486, "busy")}


def test_our_load_with_a_file_and_sipps_callee(tmp_path: Path, start: Start) -> None:
    callee = start(Sipp(tmp_path, "callee", scenario="uas", calls=CALLS, seconds=60))
    callee.ready()
    result: LoadResult = load(
        tmp_path, callee.address, ["-sn", "uac", "-m", str(CALLS), "-r", "60", "-d", "100ms"], 60, host=LOOPBACK
    )
    verdict = callee.verdict()
    assert result.verdict == 0, result.account
    assert verdict.exit_code == 0, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == len(result.calls) == CALLS, verdict.account


def test_the_registering_pair_of_files_on_our_side_and_on_sipps(tmp_path: Path, start: Start) -> None:
    """`branchs` is one of SIPp's scenarios: its callee takes a REGISTER, then an INVITE, in one call."""
    callee = start(Callee(tmp_path, ["-sf", short(tmp_path, "branchs")], ["--call-workers", "2"]))
    verdict = called(tmp_path, start, short(tmp_path, "branchc"), callee)
    assert verdict.exit_code == 0, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == CALLS, verdict.account
    assert {(row["outcome"], row["failure"]) for row in callee.rows()} == {("answered", "")}
