"""`python -m sipswarm` is the command line."""

from actors.cli import main

main()
