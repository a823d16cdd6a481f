"""SIPp's scenario files: reading them, checking them, and running one call of a file sans I/O."""
