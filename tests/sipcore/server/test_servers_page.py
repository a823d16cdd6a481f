"""The page docs/servers.md: its code runs, and the chain of it challenges, registers, redirects and refuses."""

import random
from collections.abc import Callable
from pathlib import Path

from sipswarm.sipcore.auth.digest import DigestClient
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from tests.sipcore.accounts import Account, Accounts
from tests.sipcore.wire import sample

PAGE = Path(__file__).resolve().parents[3] / "docs" / "servers.md"
Answer = Callable[[bytes, str, int, float], bytes | None]
CONTACT = "Contact: <sip:bob@192.0.2.10:5080>"


def page() -> Answer:
    code = PAGE.read_text().split("```python\n")[1].split("```")[0]
    names: dict[str, Answer] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    return names["answer"]


def asked(answer: Answer, data: bytes) -> Response:
    octets = answer(data, "192.0.2.10", 5060, 10.0)
    assert octets is not None
    response = parse(octets)
    assert isinstance(response, Response)
    return response


def registered(answer: Answer, user: str, password: str) -> Response:
    """The response to a REGISTER for the address of bob, with credentials for its challenge."""
    challenge = asked(answer, sample("REGISTER", CONTACT))
    assert challenge.status == 401
    client = DigestClient(Accounts([Account(user, password, "*", "*")]), Tokens(random.Random(1).randbytes))
    lines = client.answer(challenge, method="REGISTER", uri="sip:bob@192.0.2.20", host="example.org")
    assert lines is not None
    return asked(answer, sample("REGISTER", CONTACT, *(f"{name}: {value}" for name, value in lines)))


def test_the_chain_of_the_page_challenges_registers_redirects_and_refuses() -> None:
    answer = page()
    response = registered(answer, "bob", "secret")
    assert (response.status, response.contacts[0].expires) == (200, 3600)
    moved = asked(answer, sample("INVITE"))
    assert (moved.status, moved.headers.get("Contact")) == (302, "<sip:bob@192.0.2.10:5080>")
    assert asked(answer, sample("MESSAGE")).status == 405
    assert answer(sample("ACK"), "192.0.2.10", 5060, 10.0) is None


def test_the_chain_of_the_page_lets_no_user_take_the_address_of_another() -> None:
    answer = page()
    assert registered(answer, "alice", "wrong").status == 401
    assert registered(answer, "alice", "other").status == 403
    assert asked(answer, sample("INVITE")).status == 404
