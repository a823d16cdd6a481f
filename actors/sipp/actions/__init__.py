"""The actions of scenario files."""
