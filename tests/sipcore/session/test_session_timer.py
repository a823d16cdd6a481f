"""Session timers as rows: RFC 4028 table 2, the limits of both sides, and the moments that follow."""

import pytest

from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.session.invite_session import SessionConfig
from sipswarm.sipcore.session.session_timer import Agreed, SessionTimer, answer, settled, too_small
from tests.sipcore.call_wire import ALICE, config


def request(**headers: str) -> Request:
    return Request.build("INVITE", "sip:b@b", [(name.replace("_", "-"), value) for name, value in headers.items()])


def response(**headers: str) -> Response:
    return Response.build(200, None, [(name.replace("_", "-"), value) for name, value in headers.items()])


PLAIN = config(ALICE)
WANTS = config(ALICE, session_expires=600, refresher="uas")
SHORT = config(ALICE, session_expires=100, min_se=90)
IGNORES = config(ALICE, supported=())

# (what the request says, our settings) -> (interval, we refresh, Require: timer)
TABLE_2 = [
    (request(), PLAIN, 0, False, False),
    (request(Supported="timer"), PLAIN, 0, False, False),
    (request(), WANTS, 0, False, False),
    (request(Supported="timer"), WANTS, 600, True, True),
    (request(Supported="timer", Session_Expires="1800"), PLAIN, 1800, False, True),
    (request(Supported="timer", Session_Expires="1800;refresher=uac"), WANTS, 600, False, True),
    (request(Supported="timer", Session_Expires="1800;refresher=uas"), PLAIN, 1800, True, True),
    (request(Supported="timer", Session_Expires="1800", Min_SE="1200"), SHORT, 1200, False, True),
    # A proxy asked, the caller knows no timers: the refreshing is ours.
    (request(Session_Expires="1800"), PLAIN, 1800, True, False),
    (request(Session_Expires="30"), PLAIN, 90, True, False),
    (request(Supported="timer", Session_Expires="1800"), IGNORES, 0, False, False),
    # Nobody would find out within a week that the peer is gone.
    (request(Supported="timer", Session_Expires="4294967295"), PLAIN, 604_800, False, True),
    (request(Supported="timer", Session_Expires="1800", Min_SE="4294967295"), PLAIN, 0, False, False),
]


@pytest.mark.parametrize(("asked", "settings", "interval", "ours", "require"), TABLE_2)
def test_the_called_side_settles_interval_and_refresher(
    asked: Request, settings: SessionConfig, interval: int, ours: bool, require: bool
) -> None:
    agreed, lines = answer(asked, settings)
    assert agreed == Agreed(interval, ours)
    assert ("Require: timer" in lines) is require
    assert (f"Session-Expires: {interval};refresher={'uas' if ours else 'uac'}" in lines) is bool(interval)


@pytest.mark.parametrize(
    ("given", "agreed"),
    [
        (response(), Agreed(0, False)),
        (response(Session_Expires="600;refresher=uac"), Agreed(600, True)),
        (response(Session_Expires="600;refresher=uas"), Agreed(600, False)),
        (response(Session_Expires="600"), Agreed(600, True)),
        (response(Session_Expires="0"), Agreed(0, False)),
        # Below the 90 s of section 5, and yet the time after which the peer hangs up.
        (response(Session_Expires="4;refresher=uac"), Agreed(4, True)),
        (response(Session_Expires="1"), Agreed(2, True)),
        (response(Session_Expires="4294967295;refresher=uas"), Agreed(604_800, False)),
    ],
)
def test_the_caller_reads_the_agreement_from_the_2xx(given: Response, agreed: Agreed) -> None:
    assert settled(given) == agreed


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        (request(Supported="timer", Session_Expires="30"), True),
        (request(Supported="timer", Session_Expires="90"), False),
        (request(Session_Expires="30"), False),
        (request(), False),
    ],
)
def test_422_is_for_callers_that_understand_it(asked: Request, refused: bool) -> None:
    assert too_small(asked, PLAIN) is refused


@pytest.mark.parametrize(
    ("agreed", "refresh", "end"),
    [
        (Agreed(90, True), 45.0, 60.0),
        (Agreed(90, False), None, 60.0),
        (Agreed(1800, True), 900.0, 1768.0),
        (Agreed(0, False), None, None),
    ],
)
def test_refresh_is_at_half_and_the_end_min_32_s_or_a_third_before(
    agreed: Agreed, refresh: float | None, end: float | None
) -> None:
    timer = SessionTimer(90)
    timer.start(agreed, 0.0)
    infinite = float("inf")
    assert timer.refresh_at == (infinite if refresh is None else refresh)
    assert timer.expires_at == (infinite if end is None else end)
    assert timer.due == min(timer.refresh_at, timer.expires_at)


def test_a_refresh_keeps_the_roles_and_a_422_raises_the_interval() -> None:
    timer = SessionTimer(90)
    assert timer.request_lines(PLAIN) == ""
    assert timer.request_lines(WANTS) == "Session-Expires: 600;refresher=uas\r\nMin-SE: 90\r\n"
    timer.start(Agreed(600, True), 0.0)
    assert timer.request_lines(PLAIN) == "Session-Expires: 600;refresher=uac\r\nMin-SE: 90\r\n"
    timer.start(Agreed(600, False), 0.0)
    assert "refresher=uas" in timer.request_lines(PLAIN)
    assert timer.request_lines(IGNORES) == ""
    assert timer.raise_minimum(response(Min_SE="900"))
    assert timer.request_lines(PLAIN) == "Session-Expires: 900;refresher=uas\r\nMin-SE: 900\r\n"
    assert not timer.raise_minimum(response(Min_SE="900"))
    assert not timer.raise_minimum(response())
