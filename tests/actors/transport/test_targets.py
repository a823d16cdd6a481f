"""Where a SIP URI leads."""

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.transport.targets import hop_of
from sipswarm.sipcore.message.hop import Hop


@pytest.mark.parametrize(
    ("target", "hop"),
    [
        ("sip:bob@127.0.0.1", Hop("udp", "127.0.0.1", 5060)),
        ("sip:127.0.0.1:5070", Hop("udp", "127.0.0.1", 5070)),
        ("sip:bob@[::1]:5070", Hop("udp", "::1", 5070)),
        ("sip:bob@127.0.0.1;transport=TCP", Hop("tcp", "127.0.0.1", 5060)),
        ("sip:bob@127.0.0.1;transport=tls", Hop("tls", "127.0.0.1", 5061)),
        ("sips:bob@127.0.0.1", Hop("tls", "127.0.0.1", 5061)),
        ("sips:bob@127.0.0.1;transport=tcp", Hop("tls", "127.0.0.1", 5061)),
        ("sip:bob@example.invalid;maddr=127.0.0.2", Hop("udp", "127.0.0.2", 5060)),
        ("sip:bob@localhost:5099", Hop("udp", "127.0.0.1", 5099)),
    ],
)
def test_a_target_leads_to_a_hop(target: str, hop: Hop) -> None:
    found = hop_of(target)
    assert found == hop or (hop.host == "127.0.0.1" and found == hop._replace(host="::1"))


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("", "write for example sip:user@192.0.2.1:5060"),
        ("bob", "write for example sip:user@192.0.2.1:5060"),
        ("sip:bob@127.0.0.1:99999", "write for example sip:user@192.0.2.1:5060"),
        ("sip:bob@nobody.invalid", "'nobody.invalid' has no address"),
        ("sip:bob@" + "a" * 70 + ".invalid", "has no address"),
        ("tel:+123", "sip:user@192.0.2.1:5060"),
        ("sip:bob@127.0.0.1;transport=sctp", "sctp"),
        ("sips:bob@127.0.0.1;transport=udp", "sips is never sent over udp; drop transport=udp"),
    ],
)
def test_what_leads_nowhere_is_refused_with_the_fix(target: str, part: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        hop_of(target)
    assert part in str(caught.value)
