"""What calls share is made once for each leg and identity, and not remembered without bound."""

from sipswarm.actors.call_worker.sessions import MOST, SessionConfigs
from sipswarm.actors.config import Listener, NodeConfig
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.identity import Identity
from sipswarm.actors.transport.counters import SipCounters
from sipswarm.actors.transport.local_addresses import LocalAddress
from sipswarm.actors.transport.output import SipOutput
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.tokens import Tokens

HERE = LocalAddress(0, Hop("udp", "127.0.0.1", 5060), Hop("udp", "127.0.0.1", 5060), "127.0.0.1")


def made() -> SessionConfigs:
    totals = Totals()
    listeners = (Listener("udp", "127.0.0.1", 5060),)
    output = SipOutput(listeners, (), SipCounters(totals), totals, lambda failed: None)
    return SessionConfigs(output, NodeConfig("", (), 0), Tokens(bytes), b"")


def test_calls_of_one_identity_share_a_configuration() -> None:
    configs = made()
    first = configs.of(HERE, Identity("sip:a@127.0.0.1"))
    assert configs.of(HERE, Identity("sip:a@127.0.0.1")) is first
    assert configs.of(HERE, Identity("sip:b@127.0.0.1")) is not first
    assert configs.of(HERE, Identity("sip:a@127.0.0.1"), 5.0) is not first


def test_identities_without_end_keep_the_newest_only() -> None:
    configs = made()
    for number in range(2 * MOST):
        newest = configs.of(HERE, Identity(f"sip:{number}@127.0.0.1"))
    assert configs.of(HERE, Identity(f"sip:{2 * MOST - 1}@127.0.0.1")) is newest
    assert len(configs._known) == MOST
