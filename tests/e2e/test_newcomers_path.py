"""The path of a newcomer: a wheel, the test file of docs/testing-with-pytest.md as it stands, `sipswarm answer`."""

import re
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.processes import Program, free_port, own_host, wait_until

from .waiting import again_after_a_stop
from .wheels import ROOT, copied_sources, run, wheel_of

PAGE = (ROOT / "docs" / "testing-with-pytest.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ADDRESS = "127.0.0.1:5070"
PYTEST = ("-P", "-m", "pytest", "-p", "no:cacheprovider")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the wheel."""
    folder = tmp_path_factory.mktemp("newcomer")
    wheel = wheel_of(copied_sources(folder / "source"), folder)
    target = folder / "site"
    pip = ("-m", "pip", "install", "-q", "--no-deps", "--no-index", "--disable-pip-version-check", "--target")
    done = run([*pip, str(target), str(wheel)], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture(scope="module")
def answering(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the command of the page, which runs from the wheel."""
    assert f"sipswarm answer --listen udp:{ADDRESS} --media ivr" in PAGE
    address = f"{(host := own_host())}:{free_port(host)}"
    argv = [sys.executable, "-P", "-m", "sipswarm", "answer", "--listen", f"udp:{address}", "--media", "ivr"]
    argv += ["--call-workers", "1", "--media-workers", "1", "--metrics", "off"]
    with Program(argv, tmp_path_factory.mktemp("answer"), "answer", {"PYTHONPATH": str(site)}) as program:
        wait_until(lambda: "listening on" in program.output or program.exit_code is not None, 30, program.account)
        assert program.exit_code is None, program.account()
        yield address


@pytest.mark.slow
def test_a_type_checker_knows_the_installed_package(site: Path, tmp_path: Path) -> None:
    """The README's script and the examples, as a user checks them who has no checkout."""
    assert (site / "sipswarm" / "py.typed").is_file()
    done = run(["-m", "venv", "--without-pip", "user"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (packages,) = (tmp_path / "user").glob("lib/python3*/site-packages")
    (packages / "sipswarm").symlink_to(site / "sipswarm")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    readme = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    shutil.copytree(ROOT / "examples", tmp_path / "programs")
    for number, script in enumerate(readme):
        (tmp_path / "programs" / f"readme_{number}.py").write_text(script)
    wrong = tmp_path / "programs" / "wrong.py"
    wrong.write_text("from sipswarm import UserAgent\n\nUserAgent(leg_s=1)\n")
    python = ("--python-executable", str(tmp_path / "user" / "bin" / "python"), "--cache-dir", str(tmp_path / "cache"))
    files = [str(each) for each in sorted((tmp_path / "programs").glob("*.py"))]
    found = run(["-m", "mypy", "--strict", "--no-error-summary", *python, *files], tmp_path).stdout.splitlines()
    assert [line for line in found if "wrong.py" not in line] == []
    assert any("leg_s" in line for line in found), found


def test_the_first_file_of_the_page_has_twelve_lines_at_most() -> None:
    assert len([line for line in PYTHON[0].splitlines() if line.strip()]) <= 12


@again_after_a_stop
def test_the_file_of_the_page_passes_and_fails_with_its_ladder(site: Path, answering: str, tmp_path: Path) -> None:
    text = PYTHON[0].replace(ADDRESS, answering)
    assert text != PYTHON[0]
    file = tmp_path / "test_ivr.py"
    file.write_text(text)
    where = run(["-P", "-c", "import sipswarm; print(sipswarm.__file__)"], tmp_path, site)
    assert where.stdout.startswith(str(site)), where.stdout + where.stderr
    passed = run([*PYTEST, str(file)], tmp_path, site)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "1 passed" in passed.stdout

    file.write_text(text.replace('== "1234"', '== "9999"'))
    failed = run([*PYTEST, "--sip-dir", "evidence", str(file)], tmp_path, site)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert re.search(r"^E +AssertionError: assert '1234' == '9999'$", failed.stdout, re.MULTILINE), failed.stdout
    assert "- SIP of ua -" in failed.stdout
    assert re.search(rf"\|-- INVITE sip:ivr@{re.escape(answering)} -+>\|  SDP$", failed.stdout, re.MULTILINE)
    assert re.search(r"\|<-+ 200 OK --\|  to INVITE, SDP$", failed.stdout, re.MULTILINE)
    assert {each.suffix for each in (tmp_path / "evidence").iterdir()} == {".pcap", ".txt"}


@again_after_a_stop
def test_phones_of_the_page_call_each_other_and_by_the_registrar(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "test_phones.py"
    (errors,) = [each for each in PYTHON if "test_bob_sees_who_calls" in each]
    file.write_text(f"{PYTHON[1]}\n\n{PYTHON[2]}\n\n{errors}")
    done = run([*PYTEST, str(file)], tmp_path, site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


@again_after_a_stop
def test_an_asynchronous_fixture_of_the_page_places_the_call(site: Path, answering: str, tmp_path: Path) -> None:
    pytest.importorskip("pytest_asyncio")
    file = tmp_path / "test_fixture.py"
    (fixture,) = [each for each in PYTHON if "pytest_asyncio.fixture" in each]
    file.write_text(fixture)
    loop = ("-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function")
    done = run([*PYTEST, *loop, "--sip-target", f"sip:ivr@{answering}", str(file)], tmp_path, site)
    assert done.returncode == 0, done.stdout + done.stderr


@again_after_a_stop
def test_the_load_of_the_page_is_one_test(site: Path, answering: str, tmp_path: Path) -> None:
    (text,) = [each for each in PYTHON if "import load" in each]
    assert "calls=500, rate=50" in text
    few = 'calls=10, rate=10, call_workers=1, media_workers=1, out="results"'
    file = tmp_path / "test_load.py"
    file.write_text(text.replace("calls=500, rate=50", few).replace("result.passed", "result.exit_code in (0, 98)"))
    done = run([*PYTEST, "--sip-target", f"sip:ivr@{answering}", str(file)], tmp_path, site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"answered": 10' in (tmp_path / "results" / "summary.json").read_text()
