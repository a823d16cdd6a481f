"""A robot behind a PBX: keeps every extension of extensions.csv registered, answers, and says which one was called.

    REGISTRAR=192.168.1.5 sipswarm robot examples/extensions.py --listen udp:192.168.1.20:5070

A changed extensions.csv is read at SIGHUP: new extensions are registered, those that are gone are removed.
"""

import os

from sipswarm import Call, RobotAgent, Uri

DOMAIN = os.environ.get("DOMAIN", "example.org")
REGISTRAR = os.environ.get("REGISTRAR", "127.0.0.1:5060")


def setup(ua: RobotAgent) -> None:
    """Run once in each call worker, and again at each reload."""
    for row in ua.rows("extensions.csv"):
        user, password = row["user"], row["password"]
        ua.keep_registered(f"sip:{user}@{DOMAIN}", registrar=REGISTRAR, auth=(user, password))


async def robot(call: Call) -> None:
    """Run for each call that comes in."""
    await call.answer()
    assert call.invite_request is not None
    await call.dtmf(Uri.parse(call.invite_request.uri).user or "")
    await call.over()
