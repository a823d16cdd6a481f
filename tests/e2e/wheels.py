"""Wheels of this checkout, and programs that are run as a user does who has one. Not a test."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("actors", "media", "sipcore")
PIP_WHEEL = ("-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w")


def environment(path: Path | None = None) -> dict[str, str]:
    """That of these tests without the checkout in its path, so that names are found as at a user's."""
    found = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return found if path is None else {**found, "PYTHONPATH": str(path)}


def run(arguments: list[str], folder: Path, path: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run Python with these arguments in a folder, to its end.

    path: where it finds sipswarm, None = in the checkout.
    """
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def copied_sources(folder: Path) -> Path:
    """Copy what a wheel is built of, links as links."""
    folder.mkdir()
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("sipswarm", *FOLDERS):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def wheel_of(sources: Path, target: Path) -> Path:
    """Build the wheel of these sources into a folder."""
    done = run([*PIP_WHEEL, str(target), str(sources)], sources.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = target.glob("*.whl")
    return wheel
