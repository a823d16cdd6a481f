"""What the starter imports before it forks anything."""

import ast
import subprocess
import sys
from pathlib import Path

from sipswarm.actors.process import starter

FOLDER = Path(starter.__file__).parent
PROGRAM = "from sipswarm.actors.process import starter; starter.import_all(); import sys; print(*sys.modules)"


def imported_when_needed() -> set[str]:
    """Modules that functions of the main program import, once they know the role."""
    found = set()
    for file in FOLDER.glob("*.py"):
        for function in (each for each in ast.walk(ast.parse(file.read_text())) if isinstance(each, ast.FunctionDef)):
            for each in ast.walk(function):
                if isinstance(each, ast.ImportFrom) and each.module is not None:
                    above = ("sipswarm", "actors", "process")[: 4 - each.level]
                    found.add(".".join((*above, each.module)))
    return found


def test_the_starter_has_imported_what_any_role_imports_late() -> None:
    wanted = imported_when_needed()
    assert {"sipswarm.actors.dispatcher", "sipswarm.actors.process.load_application"} <= wanted
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert wanted - set(done.stdout.split()) == set()
