"""What `[authentication]` takes from the run: the uri of the target or of `-auth_uri`, name and password."""

from random import Random

import pytest

from sipswarm.actors.sipp.call.context import CallContext, CallIdentity
from sipswarm.actors.sipp.call.dialog import Dialog
from sipswarm.actors.sipp.call.received import Received
from sipswarm.actors.sipp.call.surroundings import Surroundings
from sipswarm.actors.sipp.injection import InjectionFiles
from sipswarm.actors.sipp.template import Credentials
from sipswarm.actors.sipp.variables import Layout, Variables

CHALLENGE = 'SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="r", nonce="n"\r\nCSeq: 1 REGISTER\r\n\r\n'


def _no_file(name: str) -> str:
    raise ValueError("there are no files")


def _answered(credentials: Credentials, *, uri: str = "", own: tuple[str, str] = ("", "")) -> str:
    """The line of a call that was challenged."""
    surroundings = Surroundings(
        texts={"remote_ip": "192.0.2.2", "service": "echo"},
        numbers={"remote_port": 5060},
        pid=7,
        wall=0.0,
        injection=InjectionFiles({}),
        file=_no_file,
        auth_uri=uri,
        credentials=own,
    )
    dialog = Dialog(1)
    dialog.keep_challenge(Received(CHALLENGE))
    identity = CallIdentity(call_id="x", number=1)
    context = CallContext(surroundings, identity, dialog, Variables(Layout(())), Random(1))
    return context.authentication(credentials, "REGISTER", "")


@pytest.mark.parametrize(
    ("given", "own", "found"),
    [
        (("alice", "secret"), ("bob", "b"), ("alice", "secret")),
        (("", ""), ("bob", "b"), ("bob", "b")),
        (("alice", ""), ("bob", "b"), ("alice", "b")),
        (("", ""), ("", ""), ("echo", "password")),
    ],
)
def test_name_and_password_are_those_of_the_run_where_the_keyword_has_none(
    given: tuple[str, str], own: tuple[str, str], found: tuple[str, str]
) -> None:
    line = _answered(Credentials(*given, "", "", ""), own=own)
    assert line == _answered(Credentials(*found, "", "", ""))
    assert f'username="{found[0]}"' in line


@pytest.mark.parametrize(("given", "uri"), [("", "sip:192.0.2.2:5060"), ("example.net;x=1", "sip:example.net;x=1")])
def test_the_uri_is_that_of_the_target_unless_another_one_is_given(given: str, uri: str) -> None:
    line = _answered(Credentials("alice", "secret", "", "", ""), uri=given)
    assert line.startswith("Authorization: Digest ")
    assert f'uri="{uri}"' in line
