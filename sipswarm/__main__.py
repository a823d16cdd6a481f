"""`python -m sipswarm` is the command line."""

from sipswarm.actors.cli import main

main()
