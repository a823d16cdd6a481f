"""`python -m sipswarm` is the command line."""

import sys

from sipswarm.actors.cli import main

sys.exit(main())
