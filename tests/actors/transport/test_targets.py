"""Where a SIP URI leads."""

import pytest

from sipswarm.actors.cli.target import complete
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.transport.targets import hop_of, uri_of
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


OTHER_SCHEMES = ["mailto:bob@127.0.0.1", "tel:+123", "TEL:5060", "http://127.0.0.1", "x-y://127.0.0.1"]
WITHOUT_ONE = ["localhost:5060", "bob:secret@127.0.0.1", "[::1]:5060", "sip:tel:5060", "SIPS:bob@b"]


@pytest.mark.parametrize("target", OTHER_SCHEMES)
def test_a_target_of_another_scheme_is_no_host_or_user(target: str) -> None:
    said = f"{target!r}: the scheme {target.partition(':')[0]} is not sip or sips; write for example"
    for judged in (uri_of, complete):
        with pytest.raises(ConfigurationError) as caught:
            judged(target)
        assert said in str(caught.value)


@pytest.mark.parametrize("target", WITHOUT_ONE)
def test_a_target_without_a_scheme_may_have_a_port_or_a_password(target: str) -> None:
    uri_of(target)
