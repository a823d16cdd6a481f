"""SIPp's other built-in scenarios against us: `regexp`, and third party call control with ours as the two called sides.

`branchc` stands in test_at_home.py, because it wants a registrar. `branchs` is not run: it takes a REGISTER and an
INVITE for one call only when both have the same Call-ID, which those of a user agent never have.
"""

import asyncio
from pathlib import Path

import pytest

from sipswarm.actors.sipp import scenario_file
from tests.e2e.agents import SDP, address_of, agent

from .conftest import Start
from .node import Answer, load
from .processes import LOOPBACK, free_port
from .sipp import Sipp, Verdict
from .test_ladders_of_callees import contented, judged
from .wire_totals import Comparison


def test_regexp_finds_address_contact_and_origin_in_our_answer(tmp_path: Path, start: Start) -> None:
    async def main() -> Verdict:
        async with asyncio.timeout(30), agent("sip:robot@127.0.0.1") as ua:
            # It wants a user in o= of letters and digits. Ours is the "-" of RFC 8866 section 5.2 unless a user says.
            (lease,) = await ua.reserve_media()
            described = SDP.format(port=lease.port).replace("o=- ", "o=robot ")
            ua.listen(media="silence", sdp=described, media_lsocks=[lease])
            remote = address_of(ua).partition("@")[2]
            return await judged(start(Sipp(tmp_path, "uac", remote=remote, scenario="regexp", calls=1, seconds=20)))

    contented(asyncio.run(main()))


# SIPp, A side           us, called twice          SIPp, B side
#  |-- INVITE, no offer ->|                          |
#  |<- 200, our offer ----|                          |
#  |== our offer ================================== >|
#  |                      |<- INVITE, that offer ----|
#  |                      |-- 200, our answer ------>|
#  |< ============================== our answer =====|
#  |-- ACK, that answer ->|<-------------------- ACK |
@pytest.mark.parametrize(
    "ours", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["files of SIPp", "files of ours"]
)
def test_a_controller_of_sipp_connects_two_calls_to_us(
    tmp_path: Path, start: Start, captured: Comparison, ours: bool
) -> None:
    answer = start(Answer(tmp_path, ["--media", "tone:440"]))
    answer.ready()
    between = f"{LOOPBACK}:{free_port()}"

    def side(name: str) -> Sipp:
        options = ["-3pcc", between]
        scenario = name
        if ours:
            file = tmp_path / f"{name}.xml"
            file.write_text(scenario_file.text_of(name))
            scenario, options = str(file), [*options, "-d", "1000"]
        return start(
            Sipp(tmp_path, name, remote=answer.address, scenario=scenario, calls=3, seconds=30, options=options)
        )

    # The A side connects to the B side, which has to listen first.
    b_side = side("3pcc-C-B")
    b_side.ready()
    a_side = side("3pcc-C-A")
    for run in (a_side, b_side):
        verdict = run.verdict()
        assert verdict.exit_code == 0, verdict.account
        assert verdict.calls("SuccessfulCall(C)") == 3, verdict.account
    metrics = answer.counted("sipswarm_calls_completed_total", 6, role="uas", ended_by="remote")
    # Each call of a pair hears the other: ours talk to each other, SIPp has no part in it.
    assert metrics.total("sipswarm_rtp_packets_total", direction="received") >= 6 * 30
    captured.equals_metrics(answer, answer.side)


@pytest.mark.slow
def test_a_controller_of_two_files_connects_two_calls(tmp_path: Path, start: Start, captured: Comparison) -> None:
    """The same ladder, with both sides in one load."""
    answer = start(Answer(tmp_path, ["--media", "tone:440"]))
    answer.ready()
    files: list[str] = []
    for name in ("3pcc-C-A", "3pcc-C-B"):
        (tmp_path / f"{name}.xml").write_text(scenario_file.text_of(name))
        files += ["-sf", f"{name}.xml"]
    result = load(tmp_path, f"robot@{answer.address}", [*files, "-d", "1s", "-m", "3", "-r", "5"], 60)
    assert result.summary["calls"]["failed"] == 0, result.account
    assert result.summary["calls"]["outcomes"] == {"answered": 3}, result.account
    metrics = answer.counted("sipswarm_calls_completed_total", 6, role="uas", ended_by="remote")
    assert metrics.total("sipswarm_rtp_packets_total", direction="received") >= 6 * 30
    captured.equals_metrics(answer, answer.side)


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ("uac.xml", "uas.xml"),
        ("regexp.xml", "uas.xml"),
        ("branchc.xml", "branchs.xml"),
        ("uac.xml", "uas"),
        ("regexp.xml", "uas"),
        ("uac", "uas.xml"),
    ],
)
def test_the_scenarios_that_come_with_us_run_with_sipp(tmp_path: Path, start: Start, caller: str, callee: str) -> None:
    """A name with a suffix is a file of ours, one without is SIPp's own."""
    for name in {caller, callee} & {f"{each}.xml" for each in scenario_file.BUILTIN}:
        (tmp_path / name).write_text(scenario_file.text_of(name.removesuffix(".xml")))
    scenarios = [str(tmp_path / name) if name.endswith(".xml") else name for name in (caller, callee)]
    waits = start(Sipp(tmp_path, "callee", scenario=scenarios[1], calls=3, seconds=30))
    waits.ready()
    options = ["-d", "100"]
    calls = start(
        Sipp(tmp_path, "caller", remote=waits.address, scenario=scenarios[0], calls=3, seconds=30, options=options)
    )
    for run in (calls, waits):
        verdict = run.verdict()
        assert verdict.exit_code == 0, verdict.account
        assert verdict.calls("SuccessfulCall(C)") == 3, verdict.account
