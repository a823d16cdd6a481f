"""Every fault of the table, done to the product while calls are up: `make faults`, or `python -m tests.faults ROW …`.

Each row runs in a process of its own. Rows that measure times run first, with nothing beside them; the others side by
side, as far as their share of the two cores goes. The end is one table; exit code 1 when a target is missed, a row
failed, or one could not run at all.
"""

import argparse
import sys
from pathlib import Path
from random import SystemRandom

from .figures import ROWS
from .rows import load_all
from .runner import Run, run_here


def main() -> int:
    """Read the arguments and run; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help="all when none is named")
    parser.add_argument("--list", action="store_true", help="show the rows and end")
    parser.add_argument("--quick", action="store_true", help="small runs, for a look and not for a claim")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table into this page, between its marks")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn; 0 = a random one")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the files of each row here")
    parser.add_argument("--here", type=Path, metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    load_all()
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        parser.error(f"no row {', '.join(unknown)}; --list shows them")
    if options.list:
        for each in ROWS.values():
            marks = ", ".join(word for word, holds in (("alone", each.alone), ("quick", each.quick)) if holds)
            sys.stdout.write(f"{each.name:28} {each.seconds:4.0f} s  {marks:12} {each.about}\n")
        return 0
    seed = options.seed or SystemRandom().randrange(1, 1 << 31)
    if options.here:
        return run_here(ROWS[options.rows[0]], options.quick, seed, options.here, options.keep)
    chosen = [ROWS[name] for name in options.rows] or list(ROWS.values())
    return Run(chosen, options.quick, seed, options.keep).all(options.json, options.page)


if __name__ == "__main__":
    sys.exit(main())
