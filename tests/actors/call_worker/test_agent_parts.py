"""Who may hold a whole call worker: what composes one. Everything else gets the parts that it uses."""

import re
from pathlib import Path

ACTORS = Path(__file__).parents[3] / "actors"
COMPOSE = {
    "agent/node.py",
    "call_worker/agent_parts.py",
    "process/applications.py",
    "process/file_application.py",
    "process/load_application.py",
    "process/load_starters.py",
    "process/server_application.py",
}
IMPORT = re.compile(
    r"^\s*from \.*(?:call_worker)?\.worker import|^\s*from \.\.?(?:call_worker)? import .*\bworker\b", re.M
)


def test_only_what_composes_a_call_worker_imports_it() -> None:
    found = {str(file.relative_to(ACTORS)) for file in ACTORS.rglob("*.py") if IMPORT.search(file.read_text())}
    assert found == COMPOSE
