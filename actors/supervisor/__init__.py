"""The supervisor of a node: its processes, their totals, and `/metrics`."""
