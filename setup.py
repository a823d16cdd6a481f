"""Finds the packages where the links in `sipswarm/` have become plain files: in a ZIP of the sources, or on Windows."""

from pathlib import Path

from setuptools import setup  # type: ignore[import-untyped, unused-ignore]

FOLDERS = ("actors", "media", "sipcore")
HERE = Path(__file__).resolve().parent

lost = [name for name in FOLDERS if not (HERE / "sipswarm" / name).is_dir()]
missing = [name for name in lost if not (HERE / name / "__init__.py").is_file()]
if missing:
    raise SystemExit(
        f"{HERE}: the folders {', '.join(missing)} are missing; clone the repository, or build from the sdist"
    )
setup(package_dir={f"sipswarm.{name}": name for name in lost})
