"""The results of a load on a disk without room: what is there is true, and the terminal names what is not."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.counting_uas import CountingUas

MAY_MOUNT = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not MAY_MOUNT, reason="this user may mount no small disk")
@pytest.mark.parametrize("room", [40, 28])
def test_a_load_on_a_full_disk_ends_with_its_verdict_and_names_what_is_missing(tmp_path: Path, room: int) -> None:
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    out = disk / "run"
    with CountingUas() as peer:
        program = [sys.executable, "-m", "sipswarm.actors.cli", "load", f"sip:peer@{peer.address}", "-r", "40", "-m"]
        program += ["150", "--quiet", "--call-workers", "1", "--media-workers", "1", "--out", str(out)]
        script = (
            f"mount -t tmpfs -o size={room}k tmpfs {disk} || exit 77; {shlex.join(program)}; code=$?; "
            f"cp -r {out} {kept}; exit $code"
        )
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, timeout=120, check=False
        )
    if done.returncode == 77:
        pytest.skip("this user may mount no small disk")
    assert done.returncode == 1, done.stderr
    summary = json.loads((kept / "summary.json").read_text())
    assert (summary["verdict"], summary["exit_code"]) == ("internal_failure", 1)
    last = dict(line.split(": ", 1) for line in done.stdout.splitlines()[-3:])
    assert last["summary"] == str(out / "summary.json")
    for what, name in (("calls", "calls.csv"), ("report", "report.html")):
        if (kept / name).exists():
            assert last[what] == str(out / name)
        else:
            assert "No space left on device" in last[what]
    assert last["calls"].startswith(f"{out}/calls.csv.partial is not complete: it lacks ")
    assert not (kept / "report.html").exists() or "internal failure" in (kept / "report.html").read_text()
    assert "reserve.partial" not in {each.name for each in kept.iterdir()}
