"""Metrics of one process: their names and labels, and the numbers."""
