"""Loads whose calls are those of a scenario file of SIPp."""
