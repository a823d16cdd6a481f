"""The decisions of one call: its SIP session, its media and what its user wants. Sans-IO as a folder."""
