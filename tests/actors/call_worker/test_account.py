"""The account of a node: its identity, who gets its password, how it comes to the processes, and which codecs."""

import pytest

from sipswarm.actors.call_worker.account import Account
from sipswarm.actors.config import AccountConfig, Listener, LoadConfig, NodeConfig
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.handle.media_values import named_codecs
from sipswarm.actors.transport.local_addresses import LocalAddresses
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.sdp.offer_answer import DEFAULT_CODECS

LEG = Hop("udp", "127.0.0.1", 5070)
ADDRESSES = LocalAddresses([Listener(*LEG)])
FULL = AccountConfig(
    from_="sip:alice@example.org",
    proxy="sip:127.0.0.1:5080",
    registrar="sip:example.org",
    address="sip:alice@example.org",
    user="alice",
    password="open-sesame",
    headers=(("X-Test", "1"), ("X-Test", "2")),
)


def node(account: AccountConfig, target: str = "sip:bob@127.0.0.9") -> NodeConfig:
    listeners = (Listener("udp", "127.0.0.1", 5070),)
    return NodeConfig("", listeners, 0, account=account, load=LoadConfig(target), codecs=("pcma",))


def test_it_comes_to_the_processes_as_it_is() -> None:
    assert NodeConfig.from_json(node(FULL).to_json()) == node(FULL)
    assert NodeConfig.from_json(node(AccountConfig()).to_json()) == node(AccountConfig())


def test_without_an_account_we_are_the_configured_user_at_the_listeners_address() -> None:
    identity = Account(node(AccountConfig()), ADDRESSES).identity("::1")
    assert (identity.from_, identity.outgoing_proxy, identity.credentials) == ("sip:sipswarm@[::1]", None, None)
    assert identity.headers == ()


def test_an_account_is_in_every_part_of_the_identity() -> None:
    identity = Account(node(FULL), ADDRESSES).identity("127.0.0.1")
    assert identity.from_ == "sip:alice@example.org"
    assert identity.outgoing_proxy == Hop("udp", "127.0.0.1", 5080)
    assert identity.headers == (("X-Test", "1"), ("X-Test", "2"))


@pytest.mark.parametrize(
    ("host", "known"),
    [("127.0.0.1", True), ("example.org", True), ("127.0.0.9", True), ("127.0.0.8", False), ("evil.example", False)],
)
def test_only_whom_we_turn_to_gets_the_password(host: str, known: bool) -> None:
    credentials = Account(node(FULL), ADDRESSES).identity("127.0.0.1").credentials
    assert credentials is not None
    assert credentials("any realm", host) == (("alice", "open-sesame") if known else None)


def test_everything_goes_to_the_proxy_by_its_name() -> None:
    account = Account(node(FULL), ADDRESSES)
    assert account.hop_to("sip:bob@192.0.2.1", (LEG,)) == Hop("udp", "127.0.0.1", 5080)
    assert account.name_of("sip:bob@192.0.2.1") == "127.0.0.1"
    direct = Account(node(AccountConfig()), ADDRESSES)
    assert direct.hop_to("sip:bob@127.0.0.3", (LEG,)) == Hop("udp", "127.0.0.3", 5060)
    assert direct.name_of("sip:bob@127.0.0.3") == "127.0.0.3"


@pytest.mark.parametrize(
    ("names", "payload_types"),
    [
        ((), (0, 8, 101)),
        (("pcma", "pcmu"), (8, 0, 101)),
        (("g722",), (9, 101)),
        (("opus",), (97, 102)),
        (("opus", "pcmu"), (97, 0, 102, 101)),
        (("l16",), (96, 101)),
    ],
)
def test_codecs_come_in_their_order_with_digits_on_each_clock(
    names: tuple[str, ...], payload_types: tuple[int, ...]
) -> None:
    assert tuple(codec.payload_type for codec in named_codecs(names)) == payload_types


def test_no_names_are_the_usual_codecs() -> None:
    assert named_codecs(()) is DEFAULT_CODECS


@pytest.mark.parametrize(
    ("names", "said"), [(("speex",), "'speex' is not known; there are pcmu"), (("pcmu", "pcmu"), "one is named twice")]
)
def test_codecs_that_cannot_be_are_refused_by_name(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        named_codecs(names)
