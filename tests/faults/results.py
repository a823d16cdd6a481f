"""What the files of a load say of its calls."""

import csv
from pathlib import Path


def placed_calls(folder: Path) -> set[str]:
    """The Call-IDs in calls.csv, finished or not; rows of calls that were never placed have none."""
    for name in ("calls.csv", "calls.csv.partial"):
        if (folder / name).exists():
            with (folder / name).open(newline="") as lines:
                return {row["id"] for row in csv.DictReader(lines) if row["id"]}
    return set()
