"""`python -P -m sipswarm.actors.process NAME`: what the supervisor starts; the name is for readers of ps."""

import sys

from .roles import main

sys.exit(main())
