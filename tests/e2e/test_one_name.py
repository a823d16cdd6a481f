"""sipswarm owns the name `sipswarm` and no other: it runs beside a user's own modules, whatever they are called.

The folders of a user hold `random.py`, `actors.py`, `sipcore.py` and `media/__init__.py`; each says at once that it was
imported, and ends the process. A node is started there from the checkout and from a built wheel.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .wheels import FOLDERS, ROOT, copied_sources, run, wheel_of

STRANGERS = ("random.py", "actors.py", "sipcore.py", "media/__init__.py")
STOPS = 'raise SystemExit(f"{__file__} was imported as {__name__}")\n'
SUCCESS = (0, 98)
"""98: the machine was too busy for figures that can be trusted; the calls have succeeded all the same"""
DEMO = ("demo", "-m", "6", "-r", "6", "--call-workers", "1", "--media-workers", "1", "--metrics", "off")
SCRIPT = """
import actors, media, sipcore, sys
from sipswarm import Call, UserAgent
assert (actors.MINE, media.MINE, sipcore.MINE) == (1, 1, 1)
assert sys.modules[UserAgent.__module__].__name__ == "sipswarm.actors.agent.user_agent", UserAgent.__module__
assert not [name for name in sys.modules if name.startswith(("actors.", "media.", "sipcore."))]
print("all are there")
"""
ROBOT = """
import actors, media, sipcore, sys
async def robot(call):
    await call.answer()
    await call.over()
print(actors.MINE, media.MINE, sipcore.MINE, "sipswarm.actors" in sys.modules, file=open("seen", "a"))
"""

SHADOWS = (
    "random.py",
    "logging.py",
    "select.py",
    "statistics.py",
    "csv.py",
    "zmq.py",
    "click/__init__.py",
    *STRANGERS[1:],
)
SCENARIO = """
import random
import mine
from sipswarm import CallError, UserAgent
async def scenario(ua, row):
    assert random.random() < mine.MINE
    call = await ua.invite("sip:x@127.0.0.1:9")
"""


def strangers(folder: Path, text: str, names: tuple[str, ...] = STRANGERS) -> Path:
    """A folder with a user's modules of the names that could be taken for ours."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of this checkout, and those that its sdist and a ZIP without links build."""
    folder = tmp_path_factory.mktemp("built")
    source = copied_sources(folder / "source")
    (source / "tests").mkdir()
    shutil.copy(__file__, source / "tests")
    zipped = folder / "zipped"
    shutil.copytree(source, zipped, symlinks=True)
    for name in FOLDERS:
        link = zipped / "sipswarm" / name
        target = os.readlink(link)
        link.unlink()
        link.write_text(target)
    for target, made_from in (("wheel", source), ("from-zip", zipped), ("from-sdist", folder / "unpacked")):
        if target == "from-sdist":
            program = f"from setuptools import build_meta; build_meta.build_sdist({str(folder)!r})"
            subprocess.run([sys.executable, "-c", program], cwd=source, capture_output=True, check=True, timeout=90)
            (archive,) = folder.glob("*.tar.gz")
            shutil.unpack_archive(archive, made_from, filter="data")
            (made_from,) = made_from.iterdir()
        wheel_of(made_from, folder / target)
    return folder


def names_of(folder: Path) -> list[str]:
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def test_a_wheel_holds_the_name_sipswarm_and_no_other(built: Path) -> None:
    names = names_of(built / "wheel")
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"sipswarm"}
    sources = {file.relative_to(ROOT).as_posix() for top in FOLDERS for file in (ROOT / top).rglob("*.py")}
    assert {f"sipswarm/{name}" for name in sources} <= set(names)
    assert "sipswarm/actors/load/summary.schema.json" in names


def test_an_sdist_builds_the_same_wheel(built: Path) -> None:
    assert names_of(built / "from-sdist") == names_of(built / "wheel")


def test_sources_whose_links_have_become_files_build_the_same_wheel(built: Path) -> None:
    """As in the ZIP of a repository, or in a clone without `core.symlinks`."""
    assert names_of(built / "from-zip") == names_of(built / "wheel")


def test_an_sdist_has_no_tests_because_their_helpers_are_not_in_it(built: Path) -> None:
    assert not list((built / "unpacked").glob("*/tests"))


def test_sources_without_a_folder_are_refused_with_the_way_out(tmp_path: Path) -> None:
    shutil.copy(ROOT / "setup.py", tmp_path)
    done = run(["setup.py", "--name"], tmp_path)
    assert done.returncode != 0
    assert "the folders actors, media, sipcore are missing; clone the repository" in done.stderr


@pytest.mark.parametrize("way", ["checkout", "wheel"])
def test_a_node_runs_in_a_folder_with_modules_of_those_names(way: str, built: Path, tmp_path: Path) -> None:
    site = None
    if way == "wheel":
        (wheel,) = (built / "wheel").glob("*.whl")
        site = strangers(tmp_path / "site", STOPS, STRANGERS[1:])  # other people's packages beside ours
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    folder = strangers(tmp_path / "here", STOPS)
    where = run(["-P", "-c", "import sipswarm.actors; print(sipswarm.actors.__file__)"], folder, site)
    assert where.stdout.startswith(str(site or ROOT)), where.stdout + where.stderr
    done = run(["-P", "-m", "sipswarm", *DEMO, "--out", "out"], folder, site)
    assert done.returncode in SUCCESS, done.stdout + done.stderr
    assert "answered 6" in done.stdout, done.stdout
    assert "was imported as" not in done.stdout + done.stderr


def test_a_script_beside_modules_of_those_names_gets_its_own_and_ours(tmp_path: Path) -> None:
    folder = strangers(tmp_path, "MINE = 1\n", STRANGERS[1:])
    (folder / "script.py").write_text(SCRIPT)
    done = run(["script.py"], folder)
    assert done.stdout == "all are there\n", done.stderr


def test_a_robot_beside_modules_of_those_names_gets_its_own(tmp_path: Path) -> None:
    folder = strangers(tmp_path, "MINE = 1\n", STRANGERS[1:])
    (folder / "bot.py").write_text(ROBOT)
    done = run(["-P", "-m", "sipswarm.actors.scripts.user_file", "bot.py", "robot", "call"], folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "seen").read_text() == "1 1 1 True\n"


@pytest.mark.parametrize("verb", ["user_file", "load"])
def test_no_module_beside_a_users_file_takes_the_place_of_one_that_others_import(verb: str, tmp_path: Path) -> None:
    folder = strangers(tmp_path, STOPS, SHADOWS)
    (folder / "mine.py").write_text("MINE = 1\n")
    (folder / "file.py").write_text(SCENARIO)
    if verb == "load":  # a port without a peer: each call fails in the scenario, and not before it
        command = ["-P", "-m", "sipswarm", "load", "127.0.0.1:9", "--scenario", "file.py", "-m", "2", "-r", "10"]
        done = run([*command, "--quiet", "--metrics", "off", "--out", "out"], folder)
        assert done.returncode in (1, 98), done.stdout + done.stderr
    else:
        done = run(["-P", "-m", "sipswarm.actors.scripts.user_file", "file.py", "scenario", "ua", "row"], folder)
        assert done.returncode == 0, done.stderr
    assert "was imported as" not in done.stdout + done.stderr


@pytest.mark.parametrize("module", ["sipswarm", "sipswarm.actors.cli"])
def test_each_way_to_the_command_line_ends_with_its_exit_code(module: str, tmp_path: Path) -> None:
    assert run(["-P", "-m", module, "--version"], tmp_path).returncode == 0
    wrong = run(["-P", "-m", module, "load"], tmp_path)
    assert wrong.returncode == 2, wrong.stderr


def test_without_the_checkout_in_the_path_the_folders_have_no_names_of_their_own(tmp_path: Path) -> None:
    program = (
        "import importlib.util as i, sipswarm.actors.cli.app;"
        f"print([name for name in {FOLDERS!r} if i.find_spec(name) is not None])"
    )
    done = run(["-P", "-c", program], tmp_path)
    assert done.stdout == "[]\n", done.stdout + done.stderr
