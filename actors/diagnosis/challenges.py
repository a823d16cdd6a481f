"""What a challenge that ended a request is by name: refused credentials, or none for it (RFC 3261 section 22). Pure."""

from sipswarm.sipcore.auth.digest import is_answerable
from sipswarm.sipcore.message.messages import Response

from .failure_reasons import CREDENTIALS_REFUSED, NO_CREDENTIALS


def cause_of_challenge(response: Response, *, were_sent: bool) -> str:
    """Return the cause that a final 401 or 407 is by itself.

    Args:
        response: final response of a request.
        were_sent: the request carried credentials for such a challenge.

    Returns:
        A name of `failure_reasons`; empty for another status, and where no credentials could answer the challenge.
    """
    if response.status not in (401, 407):
        return ""
    if were_sent:
        return CREDENTIALS_REFUSED
    return NO_CREDENTIALS if is_answerable(response) else ""
