"""SIP transport: listeners, connections, and the way out (RFC 3261 section 18)."""
