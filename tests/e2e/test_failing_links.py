"""Calls of a node go on when a send or receive between its processes fails: no process is lost, and no record."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.handle.call import Call
from tests.e2e.test_lost_media_workers import DIGITS, config, hears_itself, place
from tests.e2e.test_processes import Totals, agent, node, processes, run, target
from tests.e2e.waiting import until
from tests.faults.failing_calls import Site, failing, has_failed
from tests.faults.figures import Unable

LIBRARY_THREAD = "ZMQbg/IO/0"
RECORDS = "sipswarm_bus_records_total"
BETWEEN_CALLS = ("sip_datagram", "sip_out", "media_command", "media_event")
"""Kinds of which none is under way while there is no call."""


def difference(totals: Totals) -> int:
    """Records of calls that are offered, and not acknowledged, refused or expired, over all processes."""
    fates: Counter[str] = Counter()
    for snapshot in totals.snapshots.values():
        for name, labels, values in snapshot.series:
            if name == RECORDS and labels[0] in BETWEEN_CALLS:
                fates[labels[1]] += int(values[0])
    assert fates["offered"] > 0
    return 2 * fates["offered"] - fates.total()


async def call_while(site: Site, pid: int, file: Path, ua: UserAgent, to: str) -> list[Call]:
    """Place calls while one system call of a process fails."""
    try:
        async with failing(site, pid, file):
            calls = await place(ua, to, 4)
            await until(lambda: has_failed(file))
    except Unable as error:
        pytest.skip(str(error))
    return calls


async def hear_digits(calls: list[Call]) -> None:
    """Send digits on each call, which come back."""
    before = [call.digits_received for call in calls]
    await asyncio.gather(*(each.dtmf(DIGITS, duration=60, methods="rfc2833") for each in calls))
    wanted = [digits + DIGITS for digits in before]
    await until(lambda: [call.digits_received for call in calls] == wanted)


@pytest.mark.parametrize("name", ["dispatcher", "call-0", "media-0"])
def test_calls_go_on_when_the_kernel_has_no_buffers_for_a_link_or_ends_its_connection(
    tmp_path: Path, name: str
) -> None:
    async def main() -> None:
        async with node(tmp_path / "run", config(1)) as supervisor, agent() as ua:
            held = await place(ua, target(supervisor), 2)
            before = processes(supervisor)
            for call, error in (("sendto", "ENOBUFS"), ("recvfrom", "ECONNRESET")):
                site = Site(name, LIBRARY_THREAD, call, error, 2)
                file = tmp_path / f"{call}.strace"
                calls = await call_while(site, before[name][0], file, ua, target(supervisor))
                await asyncio.gather(*map(hears_itself, calls))
                await hear_digits(calls + held)
                await asyncio.gather(*(each.bye() for each in calls))
            await asyncio.gather(*(each.bye() for each in held))
            assert {each.by for each in held} == {"local"}
            assert processes(supervisor) == before
            totals = supervisor._node_totals
            assert isinstance(totals, Totals)
            await until(lambda: difference(totals) == 0)

    run(main)
