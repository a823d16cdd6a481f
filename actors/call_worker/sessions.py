"""The session configurations that calls of a worker share, and the sessions of outgoing calls.

A configuration is made once for each leg, identity, ring time and kind of URI, and remembered up to `MOST`, the oldest
going first. Retransmissions, timeouts and leniencies of all sessions are counted in one object, which `rows` reports. A
configuration must not be changed after it is made, because sessions share it.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.session.invite_session import InviteSession
from sipswarm.sipcore.session.redirection import Place
from sipswarm.sipcore.session.session_config import SessionConfig
from sipswarm.sipcore.transaction.transaction_counts import TransactionCounts

from ..call.local_tags import LocalTags
from ..config import NodeConfig
from ..counting.totals import SeriesRow
from ..handle.call_options import RING_TIME
from ..identity import Identity
from ..transport.local_addresses import LocalAddress
from ..transport.output import SipOutput

MOST: Final = 1024
"""Configurations that are remembered; a script with an identity per call makes a new one for each."""


class SessionConfigs:
    """The session configurations of one call worker.

    Args:
        tokens: makes the identifiers of sessions.
        secret: of the slot, for the From tags of outgoing calls.
    """

    def __init__(self, output: SipOutput, config: NodeConfig, tokens: Tokens, secret: bytes) -> None:
        self.tokens = tokens
        self.tags = LocalTags(tokens, secret)
        self._output = output
        self._strict_source = config.strict_source
        self._session_expires = int(config.session_expires)
        self._max_call_time = config.max_call_time
        self.counts = TransactionCounts()
        """The common counts of all sessions."""
        self._known: dict[tuple[LocalAddress, Identity, float, bool], SessionConfig] = {}

    def of(self, local: LocalAddress, identity: Identity, ring_time: float = 0.0, uri: str = "") -> SessionConfig:
        """Return the configuration of calls of an identity on a local address.

        Args:
            ring_time: seconds, 0 = `RING_TIME`.
            uri: the remote URI; the Contact of a call to a SIPS URI is one too (RFC 3261 sections 8.1.1.8 and 12.1.1).
        """
        secure = "sips:" in uri and local.seen.transport == "tls"
        key = (local, identity, ring_time, secure)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MOST:
                del self._known[next(iter(self._known))]
            found = self._known[key] = SessionConfig(
                local=local.seen,
                bound=local.bound if local.bound != local.seen else None,
                roams=self._output.addresses.depends(local.listener),
                from_=identity.from_,
                contact=_secured(self.of(local, identity).contact) if secure else identity.contact,
                user_agent="sipswarm",
                ring_timeout=ring_time or RING_TIME,
                credentials=identity.credentials,
                outgoing_proxy=identity.outgoing_proxy,
                route=identity.route,
                session_expires=identity.session_expires or self._session_expires,
                probe_after=self._session_expires / 2.0,
                max_call_time=self._max_call_time,
                redirects=identity.redirects,
                strict_source=self._strict_source,
                addresses_of=self._output.late.addresses_of,
                counts=self.counts,
                way_to=lambda hop: self._toward(hop, local, identity, ring_time, uri),
            )
        return found

    def _toward(
        self, hop: Hop, local: LocalAddress, identity: Identity, ring_time: float, uri: str
    ) -> SessionConfig | None:
        """Return the configuration for the local address that reaches a hop; None when no listener reaches it."""
        other = self._output.addresses.following(local, hop)
        return None if other is None else self.of(other, identity, ring_time, uri)

    def rows(self) -> Iterator[SeriesRow]:
        """Yield the common counts of all sessions, for a snapshot."""
        counts = self.counts
        for direction, by_method in (("sent", counts.sent_again), ("received", counts.received_again)):
            for method, count in by_method.items():
                yield "sipswarm_sip_retransmissions_total", (direction, method), (count,)
        for timer, count in counts.timeouts.items():
            yield "sipswarm_sip_transaction_timeouts_total", (timer,), (count,)
        if counts.late_answers:
            yield "sipswarm_sip_late_answers_total", ("hung_up",), (counts.late_answers,)
        if counts.strangers:
            yield "sipswarm_sip_refused_total", ("strict_source",), (counts.strangers,)
        for leniency, count in counts.leniencies.items():
            yield "sipswarm_sip_leniencies_total", (leniency.value,), (count,)

    def outgoing(
        self,
        to: str,
        call_id: str,
        hops: Sequence[Hop],
        local: LocalAddress,
        identity: Identity,
        ring: float,
        *,
        moves: bool = False,
    ) -> InviteSession:
        """Return the session of a call to the first of these hops, which goes on to the others when one fails.

        Each hop is reached from the listener that reaches it, the first one from `local`.

        Args:
            ring: as `ring_time`.
            moves: the call's media can move to the other IP version; else hops of that version are left out.
        """
        config, tokens, tag = self.of(local, identity, ring, to), self.tokens, self.tags.mint(call_id)
        first = hops[0]
        if len(hops) == 1:
            return InviteSession.outgoing(config, tokens, to, call_id=call_id, hop=first, local_tag=tag)
        places = [Place(first, config)]
        for hop in hops[1:]:
            other = self._output.addresses.following(local, hop)
            if other is not None and (moves or (":" in hop.host) == (":" in first.host)):
                places.append(Place(hop, self.of(other, identity, ring, to)))
        return InviteSession.toward(tokens, to, places, call_id=call_id, local_tag=tag)


def _secured(contact: str) -> str:
    """Return a Contact as SIPS URI, whose scheme means what `transport=tls` means in a SIP URI."""
    if "sips:" in contact:
        return contact
    return contact.replace("sip:", "sips:", 1).replace(";transport=tls", "", 1)
