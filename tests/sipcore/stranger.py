"""The peer of one engine, written by hand: it answers and asks in octets, in any order. Not a test."""

from __future__ import annotations

from collections import Counter

from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.session.events import Event
from sipswarm.sipcore.session.invite_session import InviteSession
from tests.sipcore.accounts import Account, Accounts

from .call_wire import ALICE, BOB, config, name_of, tokens

Headers = tuple[tuple[str, str], ...]


WALKED: Counter[str] = Counter()
"""Messages that all strangers have sent and taken, for the counts of sweeps."""


class Stranger:
    """Stands in for everybody at the other end of the wire.

    `sent` is what the engine has sent, `events` what it has told; both grow with each step.
    """

    def __init__(self, session: InviteSession | None = None) -> None:
        self.sent: list[Request | Response] = []
        self.events: list[Event] = []
        self.now = 0.0
        self._branches = 0
        self._settings: dict[str, object] = {}
        self.branch_of_invite = ""
        """that of the newest INVITE sent by `ask`, which its CANCEL has too"""
        self._session = session
        if session is not None:
            self.collect()

    @classmethod
    def of_caller(cls, **settings: object) -> Stranger:
        """Opposite a call of ours that nothing was done with yet."""
        lookup = Accounts([Account("alice", "secret", "example.org", BOB.host)])
        made = config(ALICE, credentials=lookup, **settings)
        return cls(InviteSession.outgoing(made, tokens(), "sip:bob@192.0.2.2"))

    @classmethod
    def of_called(cls) -> Stranger:
        """Opposite a call that its first INVITE, sent by `ask`, is to make; our requests may be challenged."""
        made = cls()
        lookup = Accounts([Account("alice", "secret", "example.org", BOB.host)])
        made._settings = {"credentials": lookup, "session_expires": 90}
        return made

    @property
    def session(self) -> InviteSession:
        assert self._session is not None
        return self._session

    def collect(self) -> None:
        """Take what the engine has to say."""
        transmits, events = self.session.drain()
        WALKED["messages"] += len(transmits)
        self.sent += [parse(transmit.data) for transmit in transmits]
        self.events += events

    def names(self, since: int = 0) -> list[str]:
        """What the engine has sent, by name."""
        return [name_of(each) for each in self.sent[since:]]

    def last(self, method: str) -> Request:
        """The newest request of a method."""
        found = next(each for each in reversed(self.sent) if name_of(each) == method)
        assert isinstance(found, Request)
        return found

    def last_response(self) -> Response:
        """The newest message, which is a response."""
        found = self.sent[-1]
        assert isinstance(found, Response)
        return found

    def told(self, kind: type[Event]) -> list[Event]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def wait(self, seconds: float) -> None:
        """Let time pass, each timer at its own moment."""
        until = self.now + seconds
        while (due := self.session.deadline) is not None and due <= until:
            self.session.handle_timer(due)
        self.now = until
        self.collect()

    def respond(
        self, request: Request, status: int, tag: str = "", *extra: tuple[str, str], body: bytes = b""
    ) -> Response:
        """Answer a request of the engine; the response as the engine has read it."""
        kind = "application/sdp" if body else None
        contact = () if status >= 300 else (("Contact", f"<sip:{tag or 'x'}@{BOB.host}>"),)
        response = Response.to_request(
            request, status, to_tag=tag or None, extra=(*contact, *extra), body=body, content_type=kind
        )
        WALKED["messages"] += 1
        message = parse(response.to_bytes())
        assert isinstance(message, Response)
        self.session.receive(message, BOB, self.now)
        self.collect()
        return message

    def ask(
        self, method: str, number: int, extra: str = "", body: bytes = b"", *, branch: str = "", tag: str = ""
    ) -> None:
        """Send a request to the engine: the INVITE that makes its session, or one within its dialog as its peer."""
        self._branches += 1
        WALKED["messages"] += 1
        branch = branch or f"z9hG4bKhand{self._branches}"
        if method == "INVITE":
            self.branch_of_invite = branch
        if self._session is None:
            from_, to, call_id = "<sip:bob@192.0.2.2>;tag=hand", "<sip:alice@192.0.2.1>", "by-hand"
        else:
            dialog = self.session.dialog
            assert dialog is not None
            from_, to, call_id = dialog.remote, dialog.local, dialog.call_id
        kind = "Content-Type: application/sdp\r\n" if body and "Content-Type" not in extra else ""
        data = (
            f"{method} sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch={branch}\r\n"
            f"Max-Forwards: 70\r\nFrom: {from_}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {number} {method}\r\n"
            f"Contact: <sip:bob@192.0.2.2>\r\n{extra}{kind}Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        message = parse(data)
        assert isinstance(message, Request)
        if self._session is None:
            self._session = InviteSession.incoming(config(ALICE, **self._settings), tokens(), message, BOB, self.now)
        else:
            self.session.receive(message, BOB, self.now)
        self.collect()


def challenge(status: int, nonce: str, *, stale: bool = False) -> Headers:
    """The header of a 401 or 407."""
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    word = ", stale=true" if stale else ""
    return ((name, f'Digest realm="example.org", nonce="{nonce}", qop="auth", algorithm=SHA-256{word}'),)
