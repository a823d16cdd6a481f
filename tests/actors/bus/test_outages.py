"""When the network of a host was away, and which calls that falls into; times and changes are given."""

import pytest

from sipswarm.actors.bus.outages import MOST, SECONDS, Outages
from sipswarm.actors.bus.standstills import Standstills

HOST = "192.0.2.1"


def host() -> Outages:
    """A host with loopback and one network, whose address is in use."""
    outages = Outages()
    outages.attend(lambda: (HOST,))
    outages.link(1, "lo", 0.0, carries=True, is_loopback=True)
    outages.address(1, "127.0.0.1", 0.0)
    outages.link(2, "eth0", 0.0, carries=True, is_loopback=False)
    outages.address(2, HOST, 0.0)
    return outages


def eth0(outages: Outages, now: float, *, carries: bool) -> None:
    """The network comes or goes."""
    outages.link(2, "eth0", now, carries=carries, is_loopback=False)


def test_a_call_has_the_part_of_each_outage_that_came_after_its_begin() -> None:
    outages = host()
    assert outages.seconds(0.0, 5.0) == 0.0
    eth0(outages, 10.0, carries=False)
    eth0(outages, 11.0, carries=False)  # told twice
    assert outages.seconds(0.0, 12.0) == 2.0
    eth0(outages, 13.0, carries=True)
    eth0(outages, 20.0, carries=False)
    eth0(outages, 20.5, carries=True)
    assert [outages.seconds(since, 30.0) for since in (0.0, 12.0, 13.0, 20.5)] == [3.5, 1.5, 0.5, 0.0]


def test_only_the_interface_of_the_local_address_counts() -> None:
    outages = host()
    outages.link(1, "lo", 10.0, carries=False, is_loopback=True)
    assert outages.seconds(0.0, 12.0) == outages.seconds(0.0, 12.0, ("192.0.2.77",)) == 0.0
    assert outages.seconds(0.0, 12.0, ("127.0.0.1",)) == outages.seconds(0.0, 12.0, ("127.0.0.9", HOST)) == 2.0
    assert list(outages.rows(12.0)) == []


def test_an_interface_that_never_carried_anything_is_judged_by_none() -> None:
    outages = host()
    outages.link(3, "docker0", 1.0, carries=False, is_loopback=False)
    outages.address(3, "172.17.0.1", 1.0)
    outages.link(3, "docker0", 2.0, carries=False, is_loopback=False)
    eth0(outages, 2.0, carries=False)
    assert outages.seconds(0.0, 9.0, ("172.17.0.1",)) == 0.0
    outages.link(3, "docker0", 3.0, carries=True, is_loopback=False)
    outages.link(3, "docker0", 4.0, carries=False, is_loopback=False)
    assert outages.seconds(0.0, 9.0, ("172.17.0.1",)) == 5.0


def test_an_address_that_is_taken_away_and_given_again_was_away_meanwhile() -> None:
    outages = host()
    outages.address_gone(2, HOST, 10.0)
    outages.address_gone(2, HOST, 10.5)
    eth0(outages, 11.0, carries=False)
    assert outages.seconds(0.0, 12.0) == 2.0
    eth0(outages, 12.0, carries=True)
    outages.address(2, HOST, 13.0)
    assert outages.seconds(0.0, 99.0) == 3.0


def test_an_interface_that_is_removed_and_made_again_is_one_outage_with_its_name() -> None:
    outages = host()
    eth0(outages, 10.0, carries=False)
    outages.link_gone(2, 11.0)
    assert list(outages.rows(12.0)) == [(SECONDS, ("eth0",), (2.0,))]
    outages.link(7, "eth1", 14.0, carries=True, is_loopback=False)
    outages.address(7, HOST, 14.0)
    assert outages.seconds(0.0, 99.0) == 4.0


def test_the_metric_rises_by_what_passed_since_it_was_read_whatever_is_forgotten() -> None:
    outages = host()
    assert list(outages.rows(0.0)) == []
    read = []
    for number in range(200):
        eth0(outages, number + 0.25, carries=False)
        eth0(outages, number + 0.75, carries=True)
        ((name, labels, (seconds,)),) = outages.rows(number + 1.0)
        read.append(seconds)
        assert (name, labels) == (SECONDS, ("eth0",))
    assert read == sorted(read)
    assert read[-1] == pytest.approx(100.0)


def test_containers_that_come_and_go_take_no_places() -> None:
    outages = host()
    for number in range(2 * MOST):
        outages.link(9, "veth", float(number), carries=True, is_loopback=False)
        outages.address(9, f"fe80::{number:x}", float(number))
        outages.address_gone(9, f"fe80::{number:x}", number + 0.5)
    outages.link(10, "eth1", 9000.0, carries=True, is_loopback=False)
    outages.address(10, "198.51.100.1", 9000.0)
    outages.link(10, "eth1", 9001.0, carries=False, is_loopback=False)
    assert outages.seconds(0.0, 9002.0, ("198.51.100.1",)) == 1.0


def test_a_row_has_the_outages_of_the_address_of_its_call() -> None:
    outages = host()
    stills = Standstills(None, outages)
    assert stills.columns(0.0, 9.0) == {}
    eth0(outages, 10.0, carries=False)
    assert stills.columns(0.0, 12.0) == stills.columns(0.0, 12.0, (), (HOST,)) == {"network_down": 2.0}
    assert stills.columns(0.0, 12.0, (), ("127.0.0.1",)) == {}
