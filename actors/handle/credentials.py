"""A challenged INVITE again, with credentials that the user chose (man page, `resp40x` and `auth`).

RFC 3261 section 22.2: the same call, a higher CSeq, the Digest for the nonce of the challenge, which
`sipcore.auth.digest` computes. Without these arguments the session answers challenges by itself.
"""

from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.session.invite_session import InviteSession

from ..errors import ConfigurationError
from ..identity import Auth, Keyring


def prepare(session: InviteSession, challenge: Response | None, auth: Auth | None) -> None:
    """Make the next INVITE of a session carry credentials.

    Args:
        challenge: the 401 or 407 to be answered at once; None = use `auth` when the next challenge comes.

    Raises:
        ConfigurationError: there are no credentials, or none for the realm of the challenge.
    """
    if challenge is not None and not isinstance(challenge, Response):
        raise ConfigurationError(f"resp40x is {type(challenge).__name__}; give the 401 or 407 itself")
    credentials = session.config.credentials
    if auth is not None:
        keyring = Keyring(auth)
        keyring.trust(session.challenger)
        credentials = keyring
    if credentials is None:
        raise ConfigurationError("resp40x needs auth, since the user agent has no credentials")
    if not session.authorize(challenge, credentials):
        raise ConfigurationError("resp40x: auth has nothing for its realm, or it is no challenge that can be answered")
