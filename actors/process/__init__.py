"""The main program of the child processes."""
