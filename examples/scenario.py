"""A scenario for `sipswarm load TARGET --scenario examples/scenario.py -inf examples/users.csv`."""

import asyncio

from sipswarm import Row, UserAgent


async def scenario(ua: UserAgent, row: Row) -> None:
    """Run for each arrival: send the row's digits and expect them back."""
    call = await ua.invite(ua.target)
    await asyncio.sleep(0.2)
    await call.dtmf(row["pin"])
    digits = await call.digits(len(row["pin"]), timeout=5.0)
    assert digits == row["pin"], "the digits come back"
    await call.bye()
    assert call.statistics is not None, "media ran"
    assert call.statistics.packets_received, "media came in"
