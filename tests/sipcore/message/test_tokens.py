"""Identifiers: long enough, never twice, drawn in blocks; and the timer values of RFC 3261."""

import random

import pytest

from sipswarm.sipcore.message.grammar import is_token
from sipswarm.sipcore.message.tokens import MAGIC_COOKIE, Tokens
from sipswarm.sipcore.transaction.timers import TimerSettings


class Source:
    """Seeded random octets that count how often they were asked for."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.draws = 0

    def __call__(self, count: int) -> bytes:
        self.draws += 1
        return self.dice.randbytes(count)


def test_tokens_are_long_enough_and_never_repeat() -> None:
    tokens = Tokens(Source(1))
    branches = {tokens.branch() for _ in range(1000)}
    tags = {tokens.tag() for _ in range(1000)}
    assert len(branches) == len(tags) == 1000
    assert all(branch.startswith(MAGIC_COOKIE) and len(branch) == 7 + 20 for branch in branches)
    assert all(is_token(tag) and 4 * len(tag) >= 64 for tag in tags)
    assert 4 * len(tokens.call_id()) == 128
    assert tokens.call_id("example.com").endswith("@example.com")
    assert 4 * len(tokens.cnonce()) == 128


def test_random_octets_are_drawn_in_blocks() -> None:
    source = Source(1)
    tokens = Tokens(source)
    assert source.draws == 0
    for _ in range(100):
        tokens.tag()
    assert source.draws == 1
    tokens.hexadecimal(2048)
    assert source.draws == 2
    with pytest.raises(ValueError, match="at most"):
        tokens.hexadecimal(2049)


def test_the_same_source_gives_the_same_tokens() -> None:
    one, other = Tokens(Source(7)), Tokens(Source(7))
    assert [one.branch(), one.tag(), one.call_id()] == [other.branch(), other.tag(), other.call_id()]


def test_numbers_stay_in_their_range() -> None:
    tokens = Tokens(Source(3))
    assert tokens.integer(0) == 0
    for bits in (1, 3, 4, 5, 31, 32, 64):
        drawn = [tokens.integer(bits) for _ in range(200)]
        assert all(0 <= number < 1 << bits for number in drawn)
        assert max(drawn) >= 1 << (bits - 1)
    uniform = [tokens.uniform(2.1, 4.0) for _ in range(1000)]
    assert all(2.1 <= number < 4.0 for number in uniform)
    assert max(uniform) - min(uniform) > 1.7


def test_timers_follow_table_4() -> None:
    timers = TimerSettings(t1=0.25, t2=2.0, t4=3.0)
    assert (timers.timeout, timers.d) == (16.0, 32.0)
    assert TimerSettings().timeout == 32.0
