"""The script of the README, run as it stands against what the README says answers it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.waiting import again_after_a_stop
from tests.interop.node import Answer

ROOT = Path(__file__).resolve().parents[2]


@again_after_a_stop
def test_the_script_of_the_readme_gets_its_digits_back(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    (script,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert "127.0.0.1:5070" in script
    assert "sipswarm answer --media ivr" in text
    answer = Answer(tmp_path, ["--media", "ivr"])
    with answer.program:
        answer.ready()
        file = tmp_path / "script.py"
        file.write_text(script.replace("127.0.0.1:5070", answer.address))
        done = subprocess.run(
            [sys.executable, file],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    digits, audio = done.stdout.splitlines()
    assert digits == "digits back: 1234"
    assert re.fullmatch(r"\d+ packets, 0 lost, MOS 4\.\d+", audio)
