"""Probes of SIP targets: one from the command line, or many for Prometheus by HTTP."""
