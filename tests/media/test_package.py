"""The package as its users import it: lean, and lazily complete."""

import subprocess
import sys

import pytest

from sipswarm import media


@pytest.mark.parametrize("name", media.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(media, name).__name__ == name


def test_another_name_is_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Walkman'"):
        _ = media.Walkman


def test_the_vocabulary_needs_no_numpy() -> None:
    code = (
        "import sys; before = set(sys.modules); import sipswarm.media.messages; "
        "sys.exit(bool({'numpy', 'socket'} & (set(sys.modules) - before)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
