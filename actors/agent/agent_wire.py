"""The messages of a user agent on the wire, for tests of proxies and peers: seen, changed, withheld, sent by hand."""

import sys
import time
from typing import TextIO

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response

from ..diagnosis.foreign_text import said
from ..errors import ConfigurationError
from ..runtime.callbacks import Callback
from ..trace.printed import PrintedMessages
from ..transport.names.addresses import is_address
from .bound_node import BoundNode
from .node import EmbeddedNode
from .own_identity import OwnIdentity, server_uri, uri_in
from .routes import Routes
from .send_hook import SendHook


class AgentWire:
    """What a user agent does with messages as such."""

    _node: EmbeddedNode | BoundNode
    _routes: Routes
    _who: OwnIdentity

    def on_send(self, function: Callback) -> None:
        """Show each SIP message to a function before it leaves, which may change, replace or withhold it.

            def hook(message, hop):
                message.headers.set("User-Agent", "phone 1.0")

        It is called for requests and responses of this process, repetitions included, calls of other user agents on the
        same call worker too. What it changes is not checked: a message without its Via, Call-ID, CSeq or tags gets no
        answer that its call would find. A function that fails is logged, and the message leaves as it was.

        Args:
            function: called as (message, hop): a `Request` or `Response`, and where it goes, as (transport, host,
                port). It returns None: the message is sent, with the changes made to its headers and body; False: it is
                not sent; a message or octets: these are sent instead. A plain function. None instead of a function
                removes it; a reload does not.

        Raises:
            ConfigurationError: it is a coroutine function, or does not take two arguments.
        """
        parts = self._node.parts
        parts.output.pass_through(None if function is None else SendHook(function, parts.actor_loop.crashes))

    async def resolve_uri(self, uri: str) -> tuple[Hop, ...]:
        """Return where a request to a URI goes, as (transport, host, port), the places in the order of their trial.

        Proxies and the route of this user agent come first; names are looked up (RFC 3263).

        Args:
            uri: as the target of `invite`.

        Raises:
            HostUnreachable: its name has no address that a leg reaches.
            ConfigurationError: it is not valid.
        """
        self._node.parts  # noqa: B018 - it must run
        target = uri_in(self._who.complete(uri, "uri"))
        return await self._routes.resolve(self._routes.server_of(target, self._who.usual.route) or target)

    def local_address(self, host: str, transport: str = "udp") -> str:
        """Return the address of this host that a remote one sees, by the leg and the route there.

        Args:
            host: an IP address, IPv6 without brackets.
            transport: udp, tcp or tls.

        Raises:
            ConfigurationError: it is no address, or no leg has that transport and IP version.
        """
        addresses = self._node.parts.output.addresses
        if not isinstance(host, str) or not is_address(host):
            raise ConfigurationError(f"host {said(host)} is no IP address; resolve_uri finds that of a name")
        index = addresses.for_hop(Hop(transport, host, 5060)) if isinstance(transport, str) else None
        if index is None:
            raise ConfigurationError(f"transport {said(transport)}: no leg has it with the IP version of {host}")
        return addresses.toward(index, host).seen.host

    async def deliver(self, message: Request | Response | bytes, to: str, *, leg: int | str | None = None) -> None:
        """Send a message or octets once, as they are: no transaction repeats it, and no answer is awaited.

        A response to it that belongs to no call is counted as unexpected; `on_send` is asked as for each message.

        Args:
            message: a message, or octets that need not be one.
            to: where it goes, a SIP URI or "ADDRESS:PORT".
            leg: index or name, default the one that reaches it.

        Raises:
            HostUnreachable: its name has no address that a leg reaches.
            ConfigurationError: an argument is not valid.
        """
        parts = self._node.parts
        if not isinstance(message, Request | Response | bytes):
            raise ConfigurationError(f"message {said(message)} is neither a message nor octets")
        place = server_uri("to", to)
        if place is None:
            raise ConfigurationError("to is empty; write sip:HOST:PORT")
        data = message if isinstance(message, bytes) else message.to_bytes()
        hop = (await self._routes.resolve(place))[0]
        parts.output.send_from(self._routes.leg(leg, hop), data, hop.host, hop.port)
        parts.actor_loop.flush_soon()

    def print_messages(self, file: TextIO | None = None) -> None:
        """Print each message from now on as it passes, secrets masked; on a worker those of all its calls.

        Args:
            file: default standard error.

        Raises:
            ConfigurationError: it cannot be written to.
        """
        parts, target = self._node.parts, sys.stderr if file is None else file
        if not callable(getattr(target, "write", None)):
            raise ConfigurationError(f"file {said(file)} has no write(); give an open text file")
        parts.keep_ladders()
        trace = parts.output.trace
        assert trace is not None
        trace.put_to(PrintedMessages(target.write, time.time() - time.monotonic()))
