"""The package's face: every public name is there, and importing the package loads none of its modules."""

import subprocess
import sys

import pytest

from sipswarm import sipcore


@pytest.mark.parametrize("name", sipcore.__all__)
def test_every_public_name_is_found(name: str) -> None:
    found = getattr(sipcore, name)
    assert found.__module__.startswith("sipswarm.sipcore.")


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        sipcore.__getattr__("nothing")


def test_importing_the_package_loads_nothing() -> None:
    code = "import sys, sipswarm.sipcore; print([name for name in sys.modules if name.startswith('sipswarm.sipcore.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
