"""IncomingRequests: hands a request of the peer to the part of a session that takes it (RFC 3261 8.2, 12.2.2).

In order: an ACK, a request that came before, one from outside of the peer set, CANCEL and INVITE. Then come requests
for no dialog of this call, unfit ones, and those out of order. Only then does a part see the request. A malformed
request must never get past here: it is answered 400, or as its fault demands.
"""

from __future__ import annotations

from typing import Final, final

from ..errors import LocalProtocolError, ParseError
from ..message.hop import Hop
from ..message.messages import Request, is_coded
from ..transaction.reply import Reply
from ..transaction.server_transaction import transaction_key
from .dialog import Dialog, DialogState
from .in_dialog import InDialog
from .invite_uas import InviteUas
from .peer_set import admits
from .refer_usage import ReferUsage
from .session_core import SessionCore
from .session_timer import too_small

KNOWN_METHODS: Final = frozenset(
    (
        *("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "OPTIONS", "INFO", "MESSAGE"),
        *("NOTIFY", "SUBSCRIBE", "REFER", "REGISTER", "PUBLISH"),
    )
)
"""Methods that get 405 when they are not allowed; others get 501 (RFC 3261 sections 8.2.1, 21.5.2)."""

_DESCRIBED: Final = frozenset(("INVITE", "UPDATE", "PRACK"))
"""Methods whose bodies are for the session, and are judged here."""

# Members that every call needs, under names of their own: before Python 3.12 reading one off its class is slow.
_TERMINATED: Final = DialogState.TERMINATED


@final
class IncomingRequests:
    """Hands the peer's requests to the parts.

    Args:
        core: of the call.
        uas, in_dialog, refer: the parts that take requests.
    """

    __slots__ = ("_core", "_in_dialog", "_refer", "_uas")

    def __init__(self, core: SessionCore, uas: InviteUas, in_dialog: InDialog, refer: ReferUsage) -> None:
        self._core = core
        self._uas = uas
        self._in_dialog = in_dialog
        self._refer = refer

    def begin(self, request: Request, source: Hop, flow: int, now: float) -> None:
        """Take the INVITE that begins the call. Arguments and errors as for `InviteSession.incoming`."""
        core = self._core
        reply = Reply(request, source, flow, core.local_tag)
        dialog = core.dialog = Dialog.of_request(request, reply.local, core.local_tag, core.config.max_forwards)
        core.flow = flow
        self._uas.receive_first(request, reply, dialog, self._screen(request), now)

    def knows(self, request: Request) -> bool:
        """Whether a request is the repetition of one that came before (RFC 3261 17.2.3)."""
        return self._core.requests.server_of(transaction_key(request)) is not None

    def take(self, request: Request, source: Hop, flow: int, now: float) -> None:
        """Hand a request of this call to its part.

        Arguments as for `InviteSession.receive`.

        Raises:
            ParseError: the request is malformed.
        """
        core = self._core
        method = request.method
        if method == "ACK":
            if core.dialog is not None and self._is_stranger(core.dialog, source.host):
                core.config.counts.refused_stranger()
            else:
                self._uas.receive_ack(request, now)
            return
        key = transaction_key(request)
        server = core.requests.server_of(key)
        if server is not None:
            core.requests.repeat(server, request, now)
            return
        reply = Reply(request, source, flow, core.local_tag)
        dialog = core.dialog if method == "CANCEL" else core.dialog_of(request)
        if dialog is not None and self._is_stranger(dialog, source.host):
            core.config.counts.refused_stranger()
            core.requests.answer_stateless(reply, 481)  # 8.2.7
            return
        if method == "CANCEL":
            self._uas.receive_cancel(request, key, reply, now)
            return
        if method == "INVITE" and dialog is not None:
            self._uas.receive_reinvite(request, key, reply, dialog, self._screen(request), now)
            return
        server = core.requests.open_server(request, key, reply, now)
        if dialog is None:
            # 8.2.2.2: an INVITE that took two ways here; else 12.2.2: no such dialog.
            merged_request = request.to_tag is None and method == "INVITE"
            core.requests.respond(server, 482 if merged_request else 481, now)
            return
        refusal = self._screen(request)
        if refusal is not None:
            core.requests.respond(server, refusal[0], now, extra=refusal[1])
            return
        if dialog.state is _TERMINATED and method != "BYE" and not self._refer.outlives_call(request):
            core.requests.respond(server, 481, now)
            return
        if not dialog.accepts(request):
            core.requests.respond(server, 500, now)
            return
        if reply.hop.transport != "udp":
            core.flow = reply.flow
        if method == "BYE":
            self._in_dialog.receive_bye(server, dialog, now)
        elif method == "UPDATE":
            self._in_dialog.receive_update(server, dialog, now)
        elif method == "PRACK":
            self._uas.receive_prack(server, dialog, now)
        elif method == "OPTIONS":
            self._in_dialog.answer_options(server, now)
        elif method == "NOTIFY":
            self._refer.receive_notify(server, dialog, now)
        elif method == "REFER":
            self._refer.receive_refer(server, now)
        else:
            self._in_dialog.hand_on(server)

    def _is_stranger(self, dialog: Dialog, host: str) -> bool:
        """Whether a request of the dialog comes from outside of its peer set, where the configuration checks that."""
        core = self._core
        home, config = core.hop.host, core.config
        if host == home or not config.strict_source or host in core.requests.heard:
            return False
        return not admits(dialog, host, home, config.addresses_of)

    def _screen(self, request: Request) -> tuple[int, str] | None:
        """Check method, required extensions and body (RFC 3261 section 8.2).

        Returns:
            Status and header lines of a refusal; None = it is fit.
        """
        try:
            return self._refusal(request)
        except ParseError as error:
            return error.status_hint, ""

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        config = self._core.config
        method = request.method
        if method not in config.allow:
            allow = f"Allow: {', '.join(config.allow)}\r\n"
            return (405 if method in KNOWN_METHODS else 501), allow
        keys = request.headers.keys
        if "require" in keys:
            unknown = [tag for tag in request.require if tag.lower() not in config.supported]
            if unknown:
                return 420, f"Unsupported: {', '.join(unknown)}\r\n"
        request.check()
        if "session-expires" in keys and too_small(request, config):
            return 422, f"Min-SE: {config.min_se}\r\n"
        if method in _DESCRIBED and not request.has_only(config.accept):
            return 415, f"Accept: {', '.join(config.accept)}\r\n"
        coded = "content-encoding" in keys and method in _DESCRIBED and is_coded(request.headers)
        if coded and request.body and not request.handling_optional:
            return 415, "Accept-Encoding: identity\r\n"
        return None

    def refuse_malformed(self, request: Request, error: ParseError, now: float) -> None:
        """Answer a request whose details cannot be read (RFC 3261 section 21.4.1)."""
        core = self._core
        core.requests.ignored += 1
        if request.method == "ACK":
            return
        for server in core.requests.servers:
            if server.request is request and not server.transaction.answered:
                if server is core.incoming:
                    core.incoming = None
                try:
                    core.requests.respond(server, error.status_hint, now, reason="")
                except LocalProtocolError:
                    core.requests.ignored += 1
                return
