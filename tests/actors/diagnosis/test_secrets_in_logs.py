"""Passwords, keys, responses to challenges and digits: whatever object of ours is logged or raised, none is written."""

import logging
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from sipswarm.actors.call.notices import DtmfReceived as DigitNotice
from sipswarm.actors.config import AnswerConfig, HandedDown, Listener, NodeConfig, NodeSettings, ProcessOrder
from sipswarm.actors.diagnosis.log_lines import event_of, from_process, to_supervisor
from sipswarm.actors.handle.parameters import CallParameters
from sipswarm.actors.identity import Keyring
from sipswarm.media.messages import DtmfReceived, SendDigits
from sipswarm.sipcore.auth.aka import AkaKeys
from sipswarm.sipcore.auth.digest import Credentials
from sipswarm.sipcore.message.parser import parse

SECRET = "4711geheim"
"""Stands for a password, a key, a response and digits."""
NODE = NodeConfig.of(
    replace(NodeSettings(), account=replace(NodeSettings().account, user="bob", password=SECRET)),
    (Listener("udp", "127.0.0.1", 5060),),
    answer=AnswerConfig(),
)
AUTHORIZED = (
    "INVITE sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
    "To: <sip:b@127.0.0.1>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:a@127.0.0.1>\r\n"
    f'Authorization: Digest username="bob", realm="r", nonce="n", uri="sip:b@127.0.0.1", response="{SECRET}"\r\n'
    f"Content-Length: 0\r\n\r\n"
).encode()
OBJECTS: dict[str, Callable[[], object]] = {
    "the settings of an account": lambda: NODE.account,
    "the configuration of a node": lambda: NODE,
    "the order of a process": lambda: ProcessOrder("call", 0, 1, NODE, HandedDown((3,))),
    "a keyring": lambda: Keyring(("bob", SECRET)),
    "the parameters of a call": lambda: CallParameters(auth=("bob", SECRET)),
    "keys of AKA": lambda: AkaKeys(SECRET.encode(), SECRET.encode(), b"12"),
    "credentials": lambda: Credentials("bob", "r", "n", "sip:b", SECRET, "MD5", "", 1, "1", SECRET, "", False, ""),
    "a request with credentials": lambda: parse(AUTHORIZED),
    "the headers of a request": lambda: parse(AUTHORIZED).headers,
    "digits to send": lambda: SendDigits(1, 2, SECRET),
    "a digit": lambda: DtmfReceived(1, SECRET, 100, "rfc4733"),
    "a digit on its way to a call": lambda: DigitNotice(SECRET, 100, "rfc4733"),
}


@pytest.mark.parametrize("make", OBJECTS.values(), ids=OBJECTS)
@pytest.mark.parametrize("form", ["%s", "%r", "%(it)s"])
def test_no_line_of_the_log_has_a_secret(make: Callable[[], object], form: str) -> None:
    it = make()
    try:
        raise ValueError("it cannot be used", it)
    except ValueError:
        arguments = ({"it": it},) if "(" in form else (it,)
        record = logging.LogRecord("x", logging.ERROR, "f", 1, f"lost: {form}", arguments, sys.exc_info())
    record.it = it
    line = to_supervisor(event_of(record, "call-0"))
    event = from_process(line[:-1], "call-0", 0.0)
    for written in (line.decode(), event.text(), event.json()):
        assert SECRET not in written
        assert "lost: " in written
