"""Lists of networks: an IPv4 address is the same one in each of its IPv6 forms."""

import pytest

from sipswarm.actors.transport.networks import REMEMBERED, Networks, source_of, usual_form


@pytest.mark.parametrize(
    ("networks", "host", "inside"),
    [
        (("192.0.2.0/24",), "192.0.2.7", True),
        (("192.0.2.0/24",), "::ffff:192.0.2.7", True),
        (("192.0.2.0/24",), "::ffff:c000:207", True),
        (("192.0.2.0/24",), "64:ff9b::192.0.2.7", True),
        (("192.0.2.0/24",), "64:ff9b:1::192.0.2.7", True),
        (("192.0.2.0/24",), "64:ff9b:1:abcd::c000:207", True),
        (("192.0.2.0/24",), "64:ff9b:2::192.0.2.7", False),
        (("192.0.2.0/24",), "64:ff9b::198.51.100.7", False),
        (("192.0.2.0/24",), "::ffff:198.51.100.7", False),
        (("64:ff9b::/96",), "64:ff9b::198.51.100.7", True),
        (("::/0",), "::ffff:192.0.2.7", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("0.0.0.0/8",), "::1", False),
        (("::1/128",), "::1", True),
        (("0.0.0.0/0",), "2001:db8::1", False),
        (("0.0.0.0/0",), "example.org", False),
        (("0.0.0.0/0",), "", False),
        ((), "127.0.0.1", False),
        (("192.0.2.7",), "192.0.2.7", True),
        (("192.0.2.7/24",), "192.0.2.200", True),
    ],
)
def test_an_address_is_in_a_network_in_each_of_its_forms(networks: tuple[str, ...], host: str, inside: bool) -> None:
    listed = Networks(networks)
    assert (host in listed) is inside
    assert (host in listed) is inside, "the remembered result is the same"


@pytest.mark.parametrize(
    "host", ["64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1::a9:fea9:fe00:0", "64:ff9b:1::a9fe:a9fe"]
)
def test_each_reading_of_a_prefix_of_local_use_is_looked_at(host: str) -> None:
    assert Networks(("169.254.0.0/16",)).has_any_form(host)
    assert not Networks(("10.0.0.0/8",)).has_any_form(host)


def test_what_is_remembered_is_bounded() -> None:
    listed = Networks(("10.0.0.0/8",))
    for number in range(2 * REMEMBERED + 5):
        assert f"10.1.{number >> 8}.{number & 255}" in listed
    assert len(listed._known) <= REMEMBERED


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::4", "2001:db8:1:3::/64"),
    ],
)
def test_a_source_is_an_address_or_a_64(host: str, source: str) -> None:
    assert source_of(host) == source


def test_a_name_stays_what_it_is() -> None:
    assert usual_form("example.org") == "example.org"
