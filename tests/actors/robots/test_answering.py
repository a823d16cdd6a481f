"""The media of a call by its name on the command line."""

from typing import Any

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.handle.demand import media_wishes


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("echo", ("echo", 0)),
        ("silence", ("silence",)),
        ("tone", ("tone", 440.0)),
        ("tone:1004", ("tone", 1004.0)),
        ("ivr", ("tone", 440.0)),
        ("play:/tmp/a:b.wav", ("file", "/tmp/a:b.wav", -1)),
    ],
)
def test_a_name_is_a_source(text: str, source: tuple[Any, ...]) -> None:
    assert media_wishes(text, 12.0) == {"source": source, "inactivity_limit": 12.0}


def test_none_wants_no_media() -> None:
    assert media_wishes("none", 12.0) == {"wanted": False}


@pytest.mark.parametrize("text", ["", "noise", "tone:x", "tone:-1", "play", "play:", "Echo", "tone:٤٤٠", "tone:²"])
def test_another_name_is_refused_with_those_that_are_known(text: str) -> None:
    with pytest.raises(ConfigurationError, match="write echo, silence, play:FILE, tone:HZ, ivr or none"):
        media_wishes(text, 12.0)
