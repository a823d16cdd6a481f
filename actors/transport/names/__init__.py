"""Hosts that are named: IP addresses, and names by DNS (RFC 3263)."""
