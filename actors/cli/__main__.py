"""`python -m sipswarm.actors.cli` is `sipswarm`."""

import sys

from . import main

sys.exit(main())
