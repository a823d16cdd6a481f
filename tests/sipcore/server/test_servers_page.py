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


def page() -> Answer:
    code = PAGE.read_text().split("```python\n")[1].split("```")[0]
    names: dict[str, Answer] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    return names["answer"]


def test_the_chain_of_the_page_challenges_registers_redirects_and_refuses() -> None:
    answer = page()

    def ask(data: bytes) -> Response:
        octets = answer(data, "192.0.2.10", 5060, 10.0)
        assert octets is not None
        response = parse(octets)
        assert isinstance(response, Response)
        return response

    contact = "Contact: <sip:bob@192.0.2.10:5080>"
    challenge = ask(sample("REGISTER", contact))
    assert challenge.status == 401
    client = DigestClient(Accounts([Account("bob", "secret", "*", "*")]), Tokens(random.Random(1).randbytes))
    lines = client.answer(challenge, method="REGISTER", uri="sip:bob@192.0.2.20", host="example.org")
    assert lines is not None
    registered = ask(sample("REGISTER", contact, *(f"{name}: {value}" for name, value in lines)))
    assert (registered.status, registered.contacts[0].expires) == (200, 3600)
    moved = ask(sample("INVITE"))
    assert (moved.status, moved.headers.get("Contact")) == (302, "<sip:bob@192.0.2.10:5080>")
    assert ask(sample("MESSAGE")).status == 405
    assert answer(sample("ACK"), "192.0.2.10", 5060, 10.0) is None
