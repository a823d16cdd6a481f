"""User input: Python files, and rows of data files."""
