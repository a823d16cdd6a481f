"""`python -m actors.cli` is `sipswarm`."""

import sys

from .app import main

sys.exit(main())
