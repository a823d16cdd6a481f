"""The pytest plug-in: fixtures with user agents, and the SIP of a failed test in its report (entry point pytest11)."""
