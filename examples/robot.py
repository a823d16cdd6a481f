"""A robot for `sipswarm robot examples/robot.py`: asks for four digits, says them back, hangs up."""

import logging

from sipswarm import Call, RobotAgent

_logger = logging.getLogger(__name__)


async def setup(ua: RobotAgent) -> None:
    """Run once in each call worker; here a word in the log every minute, from the first worker only."""
    ua.every(60.0, lambda: _logger.warning("the robot is alive"))


async def robot(call: Call) -> None:
    """Run for each call that comes in."""
    call.ring()
    await call.answer()
    digits = await call.digits(4, timeout=15.0)
    if digits:
        await call.dtmf(digits)
    await call.over()
