"""RequestSender: writes the requests of a call's dialogs and sends them on their way (RFC 3261 12.2.1, 8.1.2, 22).

It chooses the hop, the Via and Contact of that way, the number and the credentials, in this order. It answers a
challenge by sending the request again. Credentials of one host must never be given to another. The first INVITE is
written by `invite_uac`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import final

from ..auth.digest import CredentialsLookup, DigestClient, is_stale, were_sent
from ..errors import LocalProtocolError, ParseError
from ..message.header_lines import HeaderPairs, lines_of, merged
from ..message.hop import Hop, Transmit
from ..message.messages import Response
from ..transaction.repeats import Why
from .dialog import Dialog, is_numeric
from .invites import OutgoingInvite
from .open_requests import ClientRequest, FinalHandler
from .refer import Transferring
from .session_config import SessionConfig
from .session_core import SDP, SessionCore


@final
class RequestSender(FinalHandler):
    """Sends the requests of one call.

    Args:
        core: of the call.
    """

    __slots__ = ("_core", "ack_lines", "digest")

    def __init__(self, core: SessionCore) -> None:
        self._core = core
        self.digest: DigestClient | None = None
        """Facts learnt from challenges, None while none has come (RFC 3261 section 22.1)."""
        self.ack_lines = ""
        """Further header lines of each ACK to a 2xx."""

    def request(
        self,
        now: float,
        method: str,
        dialog: Dialog,
        *,
        extra: str = "",
        body: bytes = b"",
        content_type: str = "",
        request_id: int = 0,
        subscription: Transferring | None = None,
    ) -> ClientRequest:
        """Send a request other than INVITE and ACK within a dialog."""
        hop = self.next_hop(dialog)
        client = ClientRequest(request_id or self._core.requests.next_id(), method, dialog.request_uri, dialog, hop)
        client.flow = self.flow_to(hop, dialog)
        client.extra = extra
        client.subscription = subscription
        client.body = body
        client.content_type = content_type
        self.send_in_dialog(client, now)
        return client

    def send_in_dialog(self, client: ClientRequest, now: float) -> None:
        """Write a request of a dialog with a new CSeq number and branch, and send it."""
        core = self._core
        dialog = client.dialog
        if dialog is None:
            raise LocalProtocolError(f"{client.method} needs a dialog")
        branch = core.tokens.branch()
        client.cseq = dialog.next_cseq()
        if client.subscription is not None:
            client.subscription.cseq = client.cseq
        extra, config = client.extra, self.way(client.hop)
        if config is not core.config:
            extra = extra.replace(f"Contact: {core.config.contact}\r\n", f"Contact: {config.contact}\r\n", 1)
        data = dialog.write(
            client.method,
            client.cseq,
            f"{config.via_start}{branch};rport",
            self.credentials_for(client) + extra,
            client.body,
            client.content_type,
        )
        core.requests.send(client, data, branch, now)

    def send_ack(
        self,
        client: OutgoingInvite,
        dialog: Dialog,
        extra: str = "",
        body: bytes = b"",
        content_type: str = SDP,
    ) -> None:
        """Acknowledge a 2xx: a new branch, the INVITE's CSeq number, no transaction (RFC 3261 13.2.2.4, 17.1)."""
        core = self._core
        if self.ack_lines:
            extra += self.ack_lines
        hop = self.next_hop(dialog)
        data = dialog.write(
            "ACK",
            client.cseq,
            f"{self.way(hop).via_start}{core.tokens.branch()};rport",
            # 22.1: the ACK carries the credentials of its INVITE.
            extra + lines_of(client.credentials) if client.credentials else extra,
            body,
            content_type,
        )
        transmit = Transmit(data, hop, self.flow_to(hop, dialog))
        client.acks[dialog.remote_tag] = transmit
        core.requests.transmits.append(transmit)

    def own_lines(self, headers: HeaderPairs) -> str:
        """Write further header lines of the local user, and the usual ones where it names no others."""
        own = lines_of(headers)
        return merged(self._core.config.tail, own) + own

    def next_hop(self, dialog: Dialog) -> Hop:
        """Return the hop of requests of a dialog.

        When its target cannot be read, it is the hop that the first INVITE went to or came from.
        """
        core = self._core
        config = core.config
        try:
            hop = dialog.next_hop(config.local.transport, config.outgoing_proxy)
        except ParseError:
            return core.hop
        if hop.transport == "tcp" and config.way_to is not None and self._may_be_udp(hop, dialog):
            plain = Hop("udp", hop.host, hop.port)
            if config.way_to(plain) is not None:
                return plain
        return hop

    def _may_be_udp(self, hop: Hop, dialog: Dialog) -> bool:
        """Whether the next URI of a dialog over TCP is one of UDP: an address without a transport (RFC 3263 4.1).

        Many UAs leave the transport out of their Contact. So the place of the first INVITE, and a peer whose own
        connection is there, are still reached over TCP. Nor is a name looked up anew.
        """
        core = self._core
        if core.flow or hop == core.hop or not is_numeric(core.hop.host):
            return False
        return dialog.next_is_plain(core.config.outgoing_proxy)

    def way(self, hop: Hop) -> SessionConfig:
        """Return the configuration whose Via and Contact fit the way of a request to a hop (RFC 3261 section 18.1.1).

        When there is no such way the request is written all the same, and lost where it is to be sent.
        """
        config = self._core.config
        local = config.local
        if config.way_to is None:
            return config
        if not config.roams and hop.transport == local.transport and (":" in hop.host) == (":" in local.host):
            return config
        return config.way_to(hop) or config

    def flow_to(self, hop: Hop, dialog: Dialog) -> int:
        """Return the connection that a local request may reuse: the peer's own, when no proxy is between (RFC 5923)."""
        core = self._core
        return core.flow if hop.transport == core.config.local.transport and not dialog.route_set else 0

    def credentials_for(self, client: ClientRequest) -> str:
        """Return header lines with credentials for a request, empty before any challenge (RFC 3261 section 22.1)."""
        if self.digest is None:
            return ""
        host = self._auth_host(client)
        client.credentials = self.digest.headers(client.method, client.uri, client.body, host=host)
        return lines_of(client.credentials)

    def _auth_host(self, client: ClientRequest) -> str:
        """The host that sees a request: credentials of one host are never given to another (RELIABILITY S8)."""
        core = self._core
        return core.domain if client.hop.host == core.home else client.hop.host

    def learns(self, client: ClientRequest, response: Response) -> bool:
        """Take a 401 or 407; True when the request may be sent again with credentials (RFC 3261 22.2, 22.3)."""
        core = self._core
        lookup = core.config.credentials
        if lookup is None or not client.may_repeat(Why.STALE if is_stale(response) else Why.CHALLENGE):
            return False
        if self.digest is None:
            self.digest = DigestClient(lookup, core.tokens)
        return self.digest.learn(response, host=self._auth_host(client), sent=client.credentials)

    def was_authorized(self, client: ClientRequest, status: int) -> bool:
        """Whether a request carried credentials of the kind that its final status, 401 or 407, asks for."""
        return were_sent(status, client.credentials)

    def authorize(self, challenge: Response | None, credentials: CredentialsLookup, host: str) -> bool:
        """Take other credentials, and a 401 or 407 that the next request answers at once (CALL.md C31).

        Args:
            challenge: the 401 or 407, None without one.
            credentials: finds user and password.
            host: that the next request goes to.

        Returns:
            False, and changes nothing, when they are not for the challenge.
        """
        core = self._core
        digest = DigestClient(credentials, core.tokens)
        if challenge is not None and not digest.learn(challenge, host=host):
            return False
        core.use(replace(core.config, credentials=credentials))
        self.digest = digest
        return True

    def take_final(self, client: ClientRequest, response: Response | None, status: int, now: float) -> bool:
        """Send a request within a dialog again with credentials after a 401 or 407 (RFC 3261 sections 22.2, 22.3)."""
        if status not in (401, 407) or response is None:
            return False
        if not self.learns(client, response):
            return False
        self.send_in_dialog(client.again(), now)
        return True
