"""`python -P -m sipswarm.actors.process NAME`: the supervisor starts this; the name is for readers of ps."""

from .leaving import leave
from .roles import main

leave(main())
