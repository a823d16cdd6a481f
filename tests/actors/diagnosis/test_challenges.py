"""What a challenge that ended a request is by name (RFC 3261 section 22)."""

import pytest

from sipswarm.actors.diagnosis.challenges import cause_of_challenge
from sipswarm.actors.diagnosis.failure_reasons import OF_CHALLENGES
from tests.actors.refusals import challenge, response

READABLE = 'Digest realm="there", nonce="n", algorithm=MD5'


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize(
    ("written", "were_sent", "cause"),
    [
        (READABLE, False, "no_credentials"),
        (READABLE, True, "credentials_refused"),
        (READABLE.replace("MD5", "SHA-512"), False, ""),  # nothing here computes it
        ('Fancy realm="there", token="1"', False, ""),
        ("", False, ""),
        ("", True, "credentials_refused"),
    ],
)
def test_a_challenge_is_named_by_the_credentials_that_were_sent(
    status: int, written: str, were_sent: bool, cause: str
) -> None:
    found = cause_of_challenge(response(status, *challenge(status, written)), were_sent=were_sent)
    assert found == cause
    assert not found or found in OF_CHALLENGES


@pytest.mark.parametrize("status", [200, 302, 403, 486, 600])
def test_another_status_is_no_challenge_whatever_it_carries(status: int) -> None:
    assert cause_of_challenge(response(status, ("WWW-Authenticate", READABLE)), were_sent=True) == ""
