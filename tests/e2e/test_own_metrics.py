"""Metrics of a robot's or script's own, as a client of /metrics reads them."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from sipswarm import ConfigurationError, UserAgent, serve_metrics
from tests.e2e.agents import address_of, agent, run
from tests.e2e.test_command_line import WORKERS, Running, scraped
from tests.e2e.test_orphans import name_of
from tests.e2e.waiting import until
from tests.interop.processes import descendants

ROBOT = """
def setup(ua):
    global orders, waiting, seconds
    orders = ua.counter("orders", "Orders taken.", "dish")
    waiting = ua.gauge("waiting", "Callers on the line.")
    seconds = ua.histogram("order_seconds", "Seconds until the order.", buckets=(0.5, 30, 60))


async def robot(call):
    await call.answer()
    waiting.inc()
    orders.inc(dish=call.called_user)
    seconds.observe(2)
    await call.over()
    waiting.dec()


async def resume(call):
    await call.over()
"""
TWO = ("--call-workers", "2", "--media-workers", "1")
DISHES = ("soup", "rice", "tea")
CALLS = 12


def call_workers(running: Running) -> dict[str, int]:
    """The process ids of the call workers by their names."""
    found = {name_of(pid).partition("-")[2]: pid for pid in descendants(running.process.pid)}
    return {name: pid for name, pid in found.items() if name.startswith("call-")}


def restarted(figures: dict[tuple[str, ...], float]) -> bool:
    """Whether one process was replaced, and all are up."""
    restarts = sum(value for key, value in figures.items() if key[0] == "sipswarm_process_restarts_total")
    return restarts == 1 and all(value for key, value in figures.items() if key[0] == "sipswarm_process_up")


def test_metrics_of_a_robot_are_added_up_over_call_workers_and_outlive_one(tmp_path: Path) -> None:
    file = tmp_path / "waiter.py"
    file.write_text(ROBOT)
    running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "0", *TWO)

    async def main() -> None:
        address = (await asyncio.to_thread(running.line)).removeprefix("listening on udp:")
        url = (await asyncio.to_thread(running.line)).removeprefix("metrics on ")

        def figures() -> dict[tuple[str, ...], float]:
            own = {key: value for key, value in scraped(url).items() if key[0].startswith("robot_")}
            return {key: value for key, value in own.items() if not key[0].endswith("_created")}

        async def shows(wanted: dict[tuple[str, ...], float]) -> None:
            seen: list[dict[tuple[str, ...], float]] = [{}]

            def is_there() -> bool:
                seen[0] = figures()
                return seen[0] == wanted

            try:
                await until(is_there, 30, every=0.3)
            except AssertionError:
                assert seen[0] == wanted
                raise

        def wanted(calls: int, live: int) -> dict[tuple[str, ...], float]:
            return {
                **{("robot_orders_total", dish): calls / len(DISHES) for dish in DISHES},
                ("robot_waiting",): live,
                ("robot_order_seconds_bucket", "0.5"): 0,
                **{("robot_order_seconds_bucket", edge): calls for edge in ("30.0", "60.0", "+Inf")},
                ("robot_order_seconds_count",): calls,
                ("robot_order_seconds_sum",): 2 * calls,
            }

        async with asyncio.timeout(90), agent() as alice:
            calls = [await alice.invite(f"sip:{DISHES[number % 3]}@{address}", media="none") for number in range(CALLS)]
            await shows(wanted(CALLS, CALLS))
            for call in calls:
                await call.bye()
            await shows(wanted(CALLS, 0))
            first = call_workers(running)["call-0"]
            os.kill(first, signal.SIGKILL)
            await until(lambda: call_workers(running).get("call-0", first) != first, 20)
            await until(lambda: restarted(scraped(url)), 30, every=0.3)
            await shows(wanted(CALLS, 0))
            for number in range(CALLS):
                call = await alice.invite(f"sip:{DISHES[number % 3]}@{address}", media="none")
                await call.bye()
            await shows(wanted(2 * CALLS, 0))

    try:
        asyncio.run(main())
        code, errors = running.end(signal.SIGTERM)
    finally:
        running.close()
    assert code == 0, errors


def test_a_script_serves_its_metrics_and_those_of_its_user_agents() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        for each in (alice, bob):
            each.counter("placed", "Calls placed.").inc(3)
        bob.listen(media="silence")
        async with serve_metrics(alice, bob, port=0) as url:
            call = await alice.invite(address_of(bob), media="silence")

            def all_is_there(figures: dict[tuple[str, ...], float]) -> bool:
                live = sum(value for key, value in figures.items() if key[0] == "sipswarm_calls_active")
                return figures[("robot_placed_total",)] == 6 and live == 2

            await until(lambda: all_is_there(scraped(url)), 20, every=0.3)
            await call.bye()
            with pytest.raises(ConfigurationError, match=r"serve_metrics: 127\.0\.0\.1 port \d+ cannot be used"):
                async with serve_metrics(bob, port=int(url.rpartition(":")[2].partition("/")[0])):
                    pass
        with pytest.raises(OSError, match="refused"):
            await asyncio.to_thread(scraped, url)

    run(scenario)


def test_metrics_are_served_of_user_agents_that_run() -> None:
    async def main() -> None:
        for agents in ((), ("ua",), (agent(),)):
            with pytest.raises(ConfigurationError):
                async with serve_metrics(*agents, port=0):
                    pass

    asyncio.run(main())


def test_the_example_counts_its_orders() -> None:
    file = Path(__file__).parents[2] / "examples" / "orders.py"
    running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "0", *WORKERS)

    async def main() -> None:
        address = (await asyncio.to_thread(running.line)).removeprefix("listening on udp:")
        url = (await asyncio.to_thread(running.line)).removeprefix("metrics on ")
        async with asyncio.timeout(60), agent() as alice:
            for digit in "19":
                call = await alice.invite(f"sip:waiter@{address}", media="silence")
                await call.dtmf(digit)
                assert await call.digits(1, timeout=20) == digit
                await call.over()

            def orders() -> dict[str, float]:
                return {key[1]: value for key, value in scraped(url).items() if key[0] == "robot_orders_total"}

            await until(lambda: orders() == {"soup": 1, "none": 1}, 20, every=0.3)
            assert scraped(url)["robot_order_seconds_count",] == 2

    try:
        asyncio.run(main())
        code, errors = running.end(signal.SIGTERM)
    finally:
        running.close()
    assert code == 0, errors
