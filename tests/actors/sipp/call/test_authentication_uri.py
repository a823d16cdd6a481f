"""The uri of `[authentication]`: that of the target, or of `-auth_uri`."""

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


@pytest.mark.parametrize(("given", "uri"), [("", "sip:192.0.2.2:5060"), ("example.net;x=1", "sip:example.net;x=1")])
def test_the_uri_is_that_of_the_target_unless_another_one_is_given(given: str, uri: str) -> None:
    surroundings = Surroundings(
        texts={"remote_ip": "192.0.2.2"},
        numbers={"remote_port": 5060},
        pid=7,
        wall=0.0,
        injection=InjectionFiles({}),
        file=_no_file,
        auth_uri=given,
    )
    dialog = Dialog(1)
    dialog.keep_challenge(Received(CHALLENGE))
    identity = CallIdentity(call_id="x", number=1)
    context = CallContext(surroundings, identity, dialog, Variables(Layout(())), Random(1))
    line = context.authentication(Credentials("alice", "secret", "", "", ""), "REGISTER", "")
    assert line.startswith("Authorization: Digest ")
    assert f'uri="{uri}"' in line
