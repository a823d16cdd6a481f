"""What a dialog reads from the messages that make it (RFC 3261 12.1)."""

import pytest

from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.session.dialog import contact_uri
from sipswarm.sipcore.transaction.timers import TimerSettings


@pytest.mark.parametrize(
    ("contacts", "uri"),
    [
        ((), ""),
        (("<sip:a@192.0.2.1>",), "sip:a@192.0.2.1"),
        (("sip:a@192.0.2.1;expires=5",), "sip:a@192.0.2.1"),
        (('"A, B" <sip:a@192.0.2.1>',), "sip:a@192.0.2.1"),
        (("<sip:a@192.0.2.1>, <sip:b@192.0.2.2>",), "sip:a@192.0.2.1"),
        (("<sip:a@192.0.2.1>", "<sip:b@192.0.2.2>"), "sip:a@192.0.2.1"),
        ((f"<sip:{'a' * 300}@192.0.2.1>",), f"sip:{'a' * 300}@192.0.2.1"),
        ((",",), ""),
        (("<nonsense",), ""),
    ],
)
def test_the_first_contact_is_the_target(contacts: tuple[str, ...], uri: str) -> None:
    response = Response.build(200, "OK", [("Contact", contact) for contact in contacts])
    assert contact_uri(response) == uri


@pytest.mark.parametrize(
    ("t1", "t2", "seconds"), [(0.5, 4.0, 3.5), (0.5, 0.5, 0.5), (0.5, 1.0, 0.5), (1.0, 4.0, 3.0), (0.0, 4.0, 0.0)]
)
def test_the_time_until_the_client_repeats_every_t2(t1: float, t2: float, seconds: float) -> None:
    assert TimerSettings(t1=t1, t2=t2).until_t2 == seconds
