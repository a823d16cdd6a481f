"""`python -P -m sipswarm.actors.process NAME`: the supervisor starts this; the name is for readers of ps."""

import sys

from .roles import main

sys.exit(main())
