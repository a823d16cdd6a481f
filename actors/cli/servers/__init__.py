"""The verbs that serve SIP without calls of their own: registrar and proxy."""
