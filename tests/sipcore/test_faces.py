"""The folders of sipcore as their users import them: lean, and lazily complete."""

import subprocess
import sys
from importlib import import_module

import pytest

FOLDERS = ("auth", "message", "sdp", "server", "session", "transaction", "usage")


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_public_name_of_a_folder_is_found_in_it(folder: str) -> None:
    face = import_module(f"sipswarm.sipcore.{folder}")
    assert face.__all__ == sorted(face.__all__)
    for name in face.__all__:
        found = getattr(face, name)
        assert found.__name__ == name
        assert found.__module__.startswith(f"sipswarm.sipcore.{folder}.")
    with pytest.raises(AttributeError, match="nothing"):
        _ = face.nothing


@pytest.mark.parametrize("folder", FOLDERS)
def test_importing_a_folder_loads_none_of_its_files(folder: str) -> None:
    name = f"sipswarm.sipcore.{folder}"
    code = f"import sys, {name}; print([each for each in sys.modules if each.startswith('{name}.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
