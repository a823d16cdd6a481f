"""The decisions of one call: its SIP session, its media and its user's commands. Sans-IO as a folder."""
