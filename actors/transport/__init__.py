"""SIP transport: listeners, connections, DNS, and the way out (RFC 3261 section 18, RFC 3263)."""
