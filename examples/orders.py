"""A robot that takes orders by digits and counts them: its own metrics stand beside those of the node.

sipswarm robot examples/orders.py --listen udp:127.0.0.1:5070
sipswarm call 127.0.0.1:5070 --dtmf 1
curl -s http://127.0.0.1:9464/metrics | grep ^robot_
"""

import time

from sipswarm import Call, OwnCounter, OwnHistogram, RobotAgent

DISHES = {"1": "soup", "2": "rice", "3": "tea"}
orders: OwnCounter
order_time: OwnHistogram


def setup(ua: RobotAgent) -> None:
    """Run once in each call worker, and again at each reload."""
    global orders, order_time
    orders = ua.counter("orders", "Orders by dish; none = no digit that is one.", labels="dish")
    order_time = ua.histogram("order_seconds", "Seconds from the answer to the order.", buckets=(1, 2, 5, 10, 20))


async def robot(call: Call) -> None:
    """Run for each call that comes in."""
    await call.answer()
    begun = time.monotonic()
    digit = await call.digits(1, timeout=20)
    orders.inc(dish=DISHES.get(digit, "none"))
    order_time.observe(time.monotonic() - begun)
    await call.dtmf(digit or "#")
