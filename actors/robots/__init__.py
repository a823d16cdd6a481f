"""Applications for incoming calls: the built-in robot and robots in files."""
