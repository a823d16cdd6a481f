"""Processes, links and calls: what composes sipcore and media and what users touch."""
