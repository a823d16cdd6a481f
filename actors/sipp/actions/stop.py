"""What `int_cmd` of `exec` stops."""

from enum import Enum


class Stop(Enum):
    """`int_cmd` of `exec`."""

    CALL = "stop_call"
    """This call fails."""
    GRACEFULLY = "stop_gracefully"
    """No more calls are begun; those that are there end."""
    NOW = "stop_now"
    """The run ends."""
