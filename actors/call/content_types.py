"""The content types of bodies that a user gives without one."""

from typing import Final

TEXT: Final = "text/plain"


def usual_type(body: object) -> str:
    """Return the content type of a body for which the user names none."""
    return TEXT if isinstance(body, str) else "application/octet-stream"
