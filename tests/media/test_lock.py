"""Whose packets are taken (RELIABILITY S4): rows of (time, source, sequence number, taken)."""

import pytest

from sipswarm.media.lock import Address, AnnouncedAddresses, SourceLock

ANNOUNCED = ("192.0.2.1", 4000)
OTHER_PORT = ("192.0.2.1", 4002)
STRANGER = ("192.0.2.9", 4000)
SIGNALLING = ("192.0.2.7", 9000)

Row = tuple[float, Address, int, bool]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([(0.0, ANNOUNCED, 1, True), (0.1, ANNOUNCED, 2, True)], id="the announced port wins at once"),
        pytest.param([(0.0, STRANGER, 1, False), (0.5, STRANGER, 2, False)], id="another address never"),
        pytest.param(
            [
                (0.0, ANNOUNCED, 1, True),
                (0.5, OTHER_PORT, 2, False),
                (0.6, OTHER_PORT, 3, False),
                (0.75, OTHER_PORT, 4, True),
                (0.8, ANNOUNCED, 2, False),
            ],
            id="another port when the locked one is silent",
        ),
        pytest.param(
            [
                (0.0, ANNOUNCED, 1, True),
                (0.1, OTHER_PORT, 2, False),
                (0.2, ANNOUNCED, 2, True),
                (0.3, OTHER_PORT, 3, False),
                (0.4, ANNOUNCED, 3, True),
                (0.5, OTHER_PORT, 4, False),
            ],
            id="locked is locked while it sends",
        ),
        pytest.param(
            [
                (0.0, OTHER_PORT, 1, False),
                (0.3, OTHER_PORT, 2, True),
                (0.5, ANNOUNCED, 1, False),
                (0.75, ANNOUNCED, 2, True),
                (0.8, OTHER_PORT, 3, False),
            ],
            id="back to the announced port when the locked one is silent",
        ),
        pytest.param(
            [(0.0, OTHER_PORT, 1, False), (0.1, OTHER_PORT, 2, False), (0.2, OTHER_PORT, 3, True)],
            id="another port after 200 ms of silence of the announced one",
        ),
        pytest.param(
            [(0.0, OTHER_PORT, 1, False), (0.3, OTHER_PORT, 9, False), (0.4, OTHER_PORT, 10, True)],
            id="another port needs two in sequence",
        ),
        pytest.param(
            [(0.0, OTHER_PORT, 1, False), (0.1, ANNOUNCED, 7, True), (0.3, OTHER_PORT, 2, False)],
            id="the announced port comes first",
        ),
        pytest.param(
            [(0.0, OTHER_PORT, 65535, False), (0.3, OTHER_PORT, 0, True)],
            id="sequence numbers wrap",
        ),
        pytest.param(
            [(0.0, ("192.0.2.1", port), 1, False) for port in range(5000, 5005)]
            + [(0.3, ("192.0.2.1", 5004), 2, False), (0.4, ("192.0.2.1", 5000), 2, True)],
            id="only four ports are watched",
        ),
        pytest.param(
            [(0.0, ("192.0.2.1", port), 1, False) for port in range(5000, 5004)]
            + [(2.0, OTHER_PORT, 1, False), (2.3, OTHER_PORT, 2, True)],
            id="a port that sends no more is not watched any more",
        ),
    ],
)
def test_the_strict_rule(rows: list[Row]) -> None:
    lock = SourceLock()
    lock.announce(ANNOUNCED)
    assert [lock.admit(source, number, now) for now, source, number, _ in rows] == [row[3] for row in rows]


@pytest.mark.parametrize(
    ("rows", "locked"),
    [
        pytest.param(
            [(0.0, SIGNALLING, 1, False), (0.02, SIGNALLING, 2, True), (0.04, ANNOUNCED, 1, False)],
            SIGNALLING,
            id="the signalling address may be latched to",
        ),
        pytest.param(
            [(0.0, STRANGER, 1, False), (0.0, STRANGER, 2, False), (0.0, ANNOUNCED, 1, False)],
            None,
            id="no other address while latching",
        ),
        pytest.param(
            [(0.0, SIGNALLING, number, False) for number in (1, 3, 5, 7, 9)]
            + [(0.1, SIGNALLING, 10, False), (0.1, ANNOUNCED, 4, True)],
            ANNOUNCED,
            id="after five packets the strict rule holds",
        ),
    ],
)
def test_latching_is_decided_within_five_packets(rows: list[Row], locked: Address | None) -> None:
    lock = SourceLock()
    lock.announce(ANNOUNCED, SIGNALLING[0])
    assert [lock.admit(source, number, now) for now, source, number, _ in rows] == [row[3] for row in rows]
    assert lock.locked == locked


def test_nothing_is_taken_before_signalling_said_from_where() -> None:
    assert not SourceLock().admit(ANNOUNCED, 1, 0.0)


def test_only_a_new_address_opens_the_lock() -> None:
    lock = SourceLock()
    assert lock.announce(ANNOUNCED)
    assert lock.admit(ANNOUNCED, 1, 0.0)
    assert not lock.announce(ANNOUNCED)
    assert not lock.admit(STRANGER, 1, 0.0)
    assert lock.announce(STRANGER)
    assert lock.admit(STRANGER, 1, 0.0)
    assert not lock.admit(ANNOUNCED, 1, 0.0)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([(1.0, ANNOUNCED, 1, True), (1.1, OTHER_PORT, 2, False)], id="who was taken is taken"),
        pytest.param(
            [(1.0, OTHER_PORT, 1, False), (1.1, OTHER_PORT, 2, False), (1.21, OTHER_PORT, 3, True)],
            id="another port by the strict rule",
        ),
        pytest.param(
            [(1.0, OTHER_PORT, 1, False), (1.15, ANNOUNCED, 5, True), (1.2, OTHER_PORT, 2, False)],
            id="not while the locked one goes on",
        ),
        pytest.param([(1.0, STRANGER, 1, False), (1.3, STRANGER, 2, False)], id="another address never"),
        pytest.param(
            [
                (6.1, OTHER_PORT, 1, False),
                (6.2, OTHER_PORT, 2, False),
                (6.3, OTHER_PORT, 3, True),
                (6.4, ANNOUNCED, 5, False),
                (6.5, OTHER_PORT, 4, True),
                (6.6, ANNOUNCED, 6, False),
            ],
            id="the announced port wins at once only for a while",
        ),
    ],
)
def test_an_exchange_with_the_same_address_lets_the_strict_rule_decide_anew(rows: list[Row]) -> None:
    lock = SourceLock()
    lock.announce(ANNOUNCED)
    assert lock.admit(ANNOUNCED, 1, 0.0)
    lock.announce(ANNOUNCED, now=1.0)
    assert [lock.admit(source, number, now) for now, source, number, _ in rows] == [row[3] for row in rows]


def test_an_exchange_lets_the_announced_port_win_over_the_one_that_was_locked() -> None:
    lock = SourceLock()
    lock.announce(ANNOUNCED)
    assert [lock.admit(OTHER_PORT, number, number / 10) for number in range(4)] == [False, False, True, True]
    assert not lock.admit(ANNOUNCED, 1, 0.5)
    lock.announce(ANNOUNCED, now=1.0)
    assert lock.admit(OTHER_PORT, 5, 1.0), "also while the door is open"
    assert lock.admit(ANNOUNCED, 2, 1.1)
    assert not lock.admit(OTHER_PORT, 6, 1.2)


@pytest.mark.parametrize("source", [ANNOUNCED, OTHER_PORT])
def test_a_source_that_is_another_ones_is_never_taken(source: Address) -> None:
    lock = SourceLock()
    lock.announce(ANNOUNCED)
    lock.forbid(frozenset({source}))
    assert not any(lock.admit(source, number, number / 10) for number in range(10))
    assert not lock.watches(source)
    assert lock.locked is None


def test_a_forbidden_source_gives_up_its_lock_and_the_next_exchange_may_permit_it() -> None:
    lock = SourceLock()
    lock.announce(ANNOUNCED)
    assert lock.admit(ANNOUNCED, 1, 0.0)
    lock.forbid(frozenset({ANNOUNCED}))
    assert lock.locked is None
    assert not lock.admit(ANNOUNCED, 2, 0.1)
    lock.forbid(frozenset())
    assert lock.admit(ANNOUNCED, 3, 0.2)


@pytest.mark.parametrize("latch", ["", OTHER_PORT[0]])
def test_what_another_stream_has_announced_is_taken_where_it_is_announced_alone(latch: str) -> None:
    elsewhere = AnnouncedAddresses()
    elsewhere.replace(None, OTHER_PORT)
    crossed, right = SourceLock(elsewhere.__contains__), SourceLock(elsewhere.__contains__)
    crossed.announce(ANNOUNCED, latch)
    right.announce(OTHER_PORT)
    assert not any(crossed.admit(OTHER_PORT, number, number / 10) for number in range(10))
    assert right.admit(OTHER_PORT, 1, 0.0)
    elsewhere.replace(OTHER_PORT, None)
    assert any(crossed.admit(OTHER_PORT, number, number / 10) for number in range(10, 15))


@pytest.mark.parametrize("heard_at", [0.0, 0.9])
def test_whether_the_locked_source_is_silent_is_known_from_what_was_not_asked_about_too(heard_at: float) -> None:
    lock = SourceLock()
    lock.announce(ANNOUNCED)
    assert lock.admit(ANNOUNCED, 1, 0.0)
    lock.hear(heard_at)
    taken = [lock.admit(OTHER_PORT, number, 0.5 + number / 4) for number in range(3)]
    assert taken == [False, heard_at == 0.0, heard_at == 0.0]


def test_an_address_is_announced_until_its_last_stream_has_another() -> None:
    announced = AnnouncedAddresses()
    announced.replace(None, ANNOUNCED)
    announced.replace(None, ANNOUNCED)
    announced.replace(ANNOUNCED, OTHER_PORT)
    assert ANNOUNCED in announced
    assert OTHER_PORT in announced
    announced.replace(ANNOUNCED, ANNOUNCED)
    announced.replace(ANNOUNCED, None)
    assert ANNOUNCED not in announced
