"""Fixtures of the media tests."""

from collections.abc import Iterator

import pytest

from .world import World


@pytest.fixture
def world() -> Iterator[World]:
    """Engines on one virtual clock, closed at the end."""
    world = World()
    yield world
    for engine in world.engines:
        engine.close()
