"""Registration: keeps an address-of-record bound to our contacts, for as long as it lives.

RFC 3261 section 10.2, RFC 5626 section 4.5 (back-off), RFC 3327 (Path), RFC 3608 (Service-Route), RFC 7315
(P-Associated-URI), RFC 5627 (GRUU, as granted). A table of states and inputs decides the next step: send, confirm, back
off, remove, end. A 423 is answered with a longer time before the table has it, a 3xx with a REGISTER to its targets
(RFC 3261 section 8.1.3.4), at which the binding is refreshed and removed too. The binding counts from the sending of
its REGISTER, so that it never seems to last longer than it does. It uses no sockets, resolves no names and keeps no
clock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple, final

from ..auth.digest import CredentialsLookup, DigestClient
from ..errors import LocalProtocolError
from ..message.fields import NameAddr
from ..message.hop import Hop, Transmit
from ..message.mending import mend_address
from ..message.messages import Response
from ..message.tokens import Tokens
from ..message.uri import Uri
from ..session.redirection import Target, with_targets
from ..session.session_config import SessionConfig
from ..transaction.client_exchange import Exchange, Finished, Way
from ..transaction.timers import TimerSettings

MAX_MINIMUM: Final = 7 * 86400
"""Longest Min-Expires in seconds that is followed; a registrar that demands more is not served."""


@final
@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """The settings of a registration; many may share one."""

    registrar: str
    """Request-URI, such as sip:example.org."""
    address: str
    """Address-of-record for To and From, as name-addr or URI."""
    contacts: tuple[str, ...]
    """Contacts to bind, as name-addr or URI with any parameters (q, +sip.instance, reg-id)."""
    local: Hop
    """Transport, host and port written into Via."""
    hop: Hop
    """Where the requests go."""
    expires: int = 900
    """Seconds that we request."""
    refresh_earliest: float = 0.5
    """Part of the granted time after which a refresh may come; each time is chosen at random so that thousands of
    registrations spread."""
    refresh_latest: float = 0.9
    """Part of the granted time until which it comes."""
    backoff_base: float = 30.0
    """Seconds; after n failures in a row the wait is half to all of base times 2**n (RFC 5626 section 4.5)."""
    backoff_longest: float = 1800.0
    """Longest wait in seconds."""
    retry: bool = True
    """Whether to try again after a failure; False ends with the first."""
    credentials: CredentialsLookup | None = None
    """Finds user and password for realm and host; None refuses all challenges."""
    credentials_host: str = ""
    """Host that credentials are looked up for; empty takes the registrar's."""
    route: tuple[str, ...] = ()
    """Preloaded Route values."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers."""
    supported: str = "path"
    """Supported header, empty for none."""
    user_agent: str = ""
    """User-Agent header, empty for none."""
    max_forwards: int = 70
    """Max-Forwards."""
    timers: TimerSettings = field(default_factory=TimerSettings)
    """T1, T2, T4 in seconds."""
    bound: Hop | None = None
    """What the socket is bound to where that is not `local` (1:1 NAT); None = `local`."""
    redirects: int = 0
    """Targets of 3xx that one REGISTER tries at most."""
    proxied: bool = False
    """Whether `hop` is an outgoing proxy, which gets the requests to those targets too."""


class RegistrationState(Enum):
    """Where a registration stands."""

    IDLE = auto()
    """Nothing was sent."""
    REGISTERING = auto()
    """A REGISTER is out, the first or a refresh."""
    REGISTERED = auto()
    """Bound; the refresh is planned."""
    WAITING = auto()
    """The last try failed, the next one is planned; an older binding may still hold."""
    CLOSING = auto()
    """To be removed as soon as the REGISTER that is out has ended (RFC 3261 10.2)."""
    UNREGISTERING = auto()
    """The removal is out."""
    ENDED = auto()
    """Removed, or given up."""


class RegistrationInput(Enum):
    """What moves a registration."""

    REGISTER = auto()
    """Our command, also to refresh at once."""
    UNREGISTER = auto()
    """Our command."""
    SUCCESS = auto()
    """2xx."""
    FAILURE = auto()
    """Any other end of the request, and a 2xx that binds nothing."""
    TIMER = auto()
    """The planned moment has come."""


class RegistrationAction(Enum):
    """What a transition does."""

    SEND = auto()
    CONFIRM = auto()
    BACK_OFF = auto()
    REMOVE = auto()
    END = auto()
    NOTHING = auto()


_S, _I, _A = RegistrationState, RegistrationInput, RegistrationAction

REGISTRATION_TABLE: Final[
    Mapping[tuple[RegistrationState, RegistrationInput], tuple[RegistrationState, RegistrationAction]]
] = {
    (_S.IDLE, _I.REGISTER): (_S.REGISTERING, _A.SEND),  # 3261 10.2.1
    (_S.IDLE, _I.UNREGISTER): (_S.UNREGISTERING, _A.REMOVE),  # 3261 10.2.2, of an earlier run
    (_S.REGISTERING, _I.SUCCESS): (_S.REGISTERED, _A.CONFIRM),  # 3261 10.2.4
    (_S.REGISTERING, _I.FAILURE): (_S.WAITING, _A.BACK_OFF),  # 5626 4.5
    (_S.REGISTERING, _I.UNREGISTER): (_S.CLOSING, _A.NOTHING),  # 3261 10.2: one at a time
    (_S.REGISTERED, _I.TIMER): (_S.REGISTERING, _A.SEND),  # 3261 10.2.4: refresh
    (_S.REGISTERED, _I.REGISTER): (_S.REGISTERING, _A.SEND),  # 3261 10.2.4
    (_S.REGISTERED, _I.UNREGISTER): (_S.UNREGISTERING, _A.REMOVE),  # 3261 10.2.2
    (_S.WAITING, _I.TIMER): (_S.REGISTERING, _A.SEND),  # 5626 4.5
    (_S.WAITING, _I.REGISTER): (_S.REGISTERING, _A.SEND),  # our command comes before the plan
    (_S.WAITING, _I.UNREGISTER): (_S.UNREGISTERING, _A.REMOVE),  # 3261 10.2.2
    (_S.CLOSING, _I.SUCCESS): (_S.UNREGISTERING, _A.REMOVE),  # 3261 10.2.2
    (_S.CLOSING, _I.FAILURE): (_S.UNREGISTERING, _A.REMOVE),  # silence does not mean that nothing was bound
    (_S.CLOSING, _I.UNREGISTER): (_S.CLOSING, _A.NOTHING),
    (_S.UNREGISTERING, _I.SUCCESS): (_S.ENDED, _A.END),  # 3261 10.2.2
    (_S.UNREGISTERING, _I.FAILURE): (_S.ENDED, _A.END),  # the binding runs out by itself
    (_S.UNREGISTERING, _I.UNREGISTER): (_S.UNREGISTERING, _A.NOTHING),
    (_S.ENDED, _I.REGISTER): (_S.REGISTERING, _A.SEND),  # 3261 10.2.1, with the same Call-ID
    (_S.ENDED, _I.UNREGISTER): (_S.ENDED, _A.NOTHING),
}
"""The registration machine; an absent pair is an error of the caller; for inputs of the peer it cannot arise."""


class Registered(NamedTuple):
    """The contacts are bound, for the first time or again."""

    expires: int
    """Seconds granted: the shortest of our contacts."""
    bindings: tuple[NameAddr, ...]
    """All Contacts in the response, those of other devices included; pub-gruu and temp-gruu are parameters."""
    service_route: tuple[str, ...]
    """Route values for requests of this address (RFC 3608); empty when the registrar names none."""
    path: tuple[str, ...]
    """Path values that the registrar has stored (RFC 3327)."""
    associated_uris: tuple[str, ...]
    """P-Associated-URI values."""
    response: Response


class RegistrationFailed(NamedTuple):
    """A try failed."""

    status: int
    """Of the response; 408 for silence, 503 for a failed transport."""
    response: Response | None
    retry_at: float | None
    """When the next try comes, None for never."""
    bound: bool
    """An earlier binding still holds."""


class RegistrationLapsed(NamedTuple):
    """The binding ran out before it could be refreshed."""

    ended_at: float


class Unregistered(NamedTuple):
    """The removal has ended; nothing more will come."""

    status: int
    """200 when the registrar confirmed it."""
    response: Response | None


RegistrationEvent = Registered | RegistrationFailed | RegistrationLapsed | Unregistered


@final
class Registration:
    """One registration (RFC 3261 section 10.2).

    Commands are `register` and `unregister`; inputs `receive`, `handle_timer` and `transport_failed`; after each of
    them `drain` gives what is to be sent and what has happened, and `deadline` the time for the next `handle_timer`.

    Args:
        settings: what is registered where.
        tokens: source of branches and tags.
        call_id: one for all its requests; made from `tokens` when empty.
    """

    __slots__ = (
        "_all",
        "_asked",
        "_due",
        "_events",
        "_exchange",
        "_failures",
        "_least",
        "_ours",
        "_sent_at",
        "_tag",
        "_targets",
        "_tokens",
        "_uri",
        "_visited",
        "bound_until",
        "call_id",
        "service_route",
        "settings",
        "state",
        "way",
    )

    def __init__(self, settings: RegistrationSettings, tokens: Tokens, *, call_id: str = "") -> None:
        """Begin unbound.

        Raises:
            ParseError: the registrar, the address or a contact is not a SIP address.
        """
        self.settings = settings
        self._tokens = tokens
        self.call_id = call_id or tokens.call_id()
        self.state = RegistrationState.IDLE
        self.bound_until: float | None = None
        """When the binding runs out, None while there is none."""
        self.service_route: tuple[str, ...] = ()
        """As granted last."""
        self.way = Way(settings.hop, settings.local, settings.contacts, settings.bound)
        """Where the registrar is, as far as is known, and what it sees."""
        self._tag = tokens.tag()
        NameAddr.parse(settings.address)
        digest = DigestClient(settings.credentials or _nobody, tokens)
        self._exchange = Exchange(settings.local, settings.hop, tokens, settings.timers, digest, "")
        self._targets: tuple[Target, ...] = ()
        """Further targets that 3xx have named, the next one first."""
        self._visited: tuple[str, ...] = ()
        """The URIs to which the present REGISTER went."""
        self.move(self.way)
        self._events: list[RegistrationEvent] = []
        self._asked = settings.expires
        self._sent_at = 0.0
        self._failures = 0
        self._least = 0
        self._due: float | None = None
        self._all = False

    @property
    def key(self) -> tuple[str, str]:
        """What responses to this registration carry: Call-ID and From tag."""
        return self.call_id, self._tag

    @property
    def asked_at(self) -> float:
        """When the last request was made; the repetition with credentials belongs to it."""
        return self._sent_at

    @property
    def retransmissions(self) -> int:
        """Requests sent again by timers."""
        return self._exchange.retransmissions

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is to be called next, None for never."""
        times = [at for at in (self._exchange.deadline, self._due, self._lapse) if at is not None]
        return min(times, default=None)

    def drain(self) -> tuple[list[Transmit], list[RegistrationEvent]]:
        """Hand out, and forget, what is to be sent and what has happened since the last time."""
        events = self._events
        self._events = []
        return self._exchange.drain(), events

    def register(self, now: float, *, way: Way | None = None) -> None:
        """Register, or refresh at once.

        Args:
            way: another place to send to from now on.

        Raises:
            LocalProtocolError: while a REGISTER is out.
        """
        if way is not None:
            self.move(way)
        self._step(RegistrationInput.REGISTER, now)

    def authorize(self, challenge: Response) -> bool:
        """Take a 401 or 407 of an earlier REGISTER beforehand (CALL.md `resp40x`); False without credentials for it."""
        return self._exchange.authorize(challenge)

    def move(self, way: Way) -> None:
        """Send to another place from the next request on; nothing is sent now.

        What is still out goes there too, unless it shows another local address.
        """
        self.way = way
        self._ours = tuple(NameAddr.parse(contact).uri for contact in way.contacts)
        if not self._exchange.is_open or self._exchange.local == way.local:
            self._go_home()

    def _go_home(self) -> None:
        """Send to the registrar itself from the next request on, not to the target of a 3xx."""
        self._uri = self.settings.registrar
        host = self.settings.credentials_host or Uri.parse(self._uri).host
        self._exchange.go_by(local=self.way.local, hop=self.way.hop, host=host)

    def unregister(self, now: float, *, everything: bool = False) -> None:
        """Remove our contacts, or with `everything` all bindings of the address (RFC 3261 10.2.2); harmless twice."""
        self._all = everything
        self._step(RegistrationInput.UNREGISTER, now)

    def receive(self, response: Response, now: float) -> None:
        """Take a response; one that belongs to no request of this registration is ignored."""
        self._finish(self._exchange.receive(response, now), now)

    def handle_timer(self, now: float) -> None:
        """Let everything fire that is due."""
        self._finish(self._exchange.handle_timer(now), now)
        lapse = self._lapse
        if lapse is not None and lapse <= now:
            self.bound_until = None
            self._events.append(RegistrationLapsed(lapse))
        if self._due is not None and self._due <= now:
            self._step(RegistrationInput.TIMER, now)

    def connections_lost(self, now: float) -> None:
        """Note that every connection is gone: a REGISTER without any response is due once more, at `now`."""
        self._exchange.connections_lost(now)

    def transport_failed(self, branch: str, now: float) -> None:
        """Note that the request of this branch could not be sent (RFC 3261 8.1.3.1)."""
        self._finish(self._exchange.transport_failed(branch, now), now)

    @property
    def _lapse(self) -> float | None:
        # While the refresh is planned, the binding cannot run out before it; while it is removed, it has no effect.
        return self.bound_until if self.state in _AT_RISK else None

    def _finish(self, finished: Finished | None, now: float) -> None:
        if finished is None:
            return
        if finished.status == 423 and self.state is RegistrationState.REGISTERING and self._ask_longer(finished):
            self._send(now)
            return
        good = finished.status // 100 == 2
        if not good and self.state in _FOLLOWING and self._follow(finished):
            self._send(now)
            return
        if good and self.state is RegistrationState.REGISTERING:
            good = self._take(finished.response, now)
        self._step(RegistrationInput.SUCCESS if good else RegistrationInput.FAILURE, now, finished)

    def _step(self, happened: RegistrationInput, now: float, finished: Finished | None = None) -> None:
        row = REGISTRATION_TABLE.get((self.state, happened))
        if row is None:
            raise LocalProtocolError(f"{happened.name.lower()} while {self.state.name.lower()}")
        self.state, action = row
        if action is not RegistrationAction.CONFIRM:
            self._targets, self._visited = (), (self._uri,)
        if action is RegistrationAction.SEND:
            self._asked = self._asked or self.settings.expires
            self._send(now)
        elif action is RegistrationAction.CONFIRM:
            self._confirm(finished, now)
        elif action is RegistrationAction.BACK_OFF:
            self._back_off(finished, now)
        elif action is RegistrationAction.REMOVE:
            self._asked = 0
            self._send(now)
        elif action is RegistrationAction.END:
            assert finished is not None
            self.bound_until = None
            self.service_route = ()
            self._failures = 0
            self._go_home()
            self._events.append(Unregistered(finished.status, finished.response))

    def _send(self, now: float) -> None:
        settings = self.settings
        if self._exchange.local != self.way.local:
            self._go_home()  # it was moved while a request was out
        pairs = [("Max-Forwards", str(settings.max_forwards))]
        pairs += [("Route", route) for route in settings.route]
        address = str(NameAddr.parse(settings.address))
        pairs += [("From", f"{address};tag={self._tag}"), ("To", address), ("Call-ID", self.call_id)]
        if self._asked == 0 and self._all:
            pairs.append(("Contact", "*"))
        else:
            pairs += [("Contact", self._bounded(contact)) for contact in self.way.contacts]
        pairs.append(("Expires", str(self._asked)))
        if settings.supported:
            pairs.append(("Supported", settings.supported))
        if settings.user_agent:
            pairs.append(("User-Agent", settings.user_agent))
        pairs += settings.headers
        self._due = None
        self._sent_at = now
        self._exchange.start("REGISTER", self._uri, pairs, now)

    def _bounded(self, contact: str) -> str:
        # A parameter of the contact's own wins over the Expires header (RFC 3261 10.2.1.1): it must allow for the
        # registrar's minimum, and for a removal.
        parsed = NameAddr.parse(contact)
        if "expires" not in parsed.params:
            return contact
        expires = max(parsed.expires or 0, self._least) if self._asked else 0
        return str(parsed._replace(params={**parsed.params, "expires": str(expires)}))

    def _ask_longer(self, finished: Finished) -> bool:
        # RFC 3261 10.2.8. A registrar that hides its minimum is offered an hour, once.
        assert finished.response is not None
        least = finished.response.min_expires
        wanted = 3600 if least is None else least
        if not self._asked < wanted <= MAX_MINIMUM:
            return False
        self._asked = self._least = wanted
        return True

    def _follow(self, finished: Finished) -> bool:
        """Turn to the next target that a 3xx has named (8.1.3.4); False when there is none or the policy forbids it.

        A target is reached from the local address of the way, so that it has its transport and IP version. The proxy of
        a 305 gets the request as it is (21.3.4), another target one of its own, without a user (10.2).
        """
        settings, response, local = self.settings, finished.response, self.way.local
        if response is not None and 300 <= finished.status < 400:
            proxy = self.way.hop if settings.proxied else None
            config = SessionConfig(local, settings.address, outgoing_proxy=proxy, way_to=_no_other_way)
            self._targets = tuple(
                each
                for each in with_targets(self._targets, response, self._visited, config)
                if _is_reached(each.hop.host, local.host)
            )
        if not self._targets or finished.status >= 600 or len(self._visited) > settings.redirects:
            return False
        target, *rest = self._targets
        self._targets = tuple(rest)
        self._visited = (*self._visited, target.named)
        if target.response.status != 305:
            uri = Uri.parse(target.uri)
            self._uri = str(Uri(uri.scheme, None, uri.host, uri.port, uri.params))
        self._exchange.go_by(hop=target.hop, host=None if settings.proxied else target.hop.host)
        return True

    def _take(self, response: Response | None, now: float) -> bool:
        # What the 2xx grants; False when it binds none of our contacts.
        assert response is not None
        bindings = response.contacts
        asked = self._asked
        general = _granted(response.headers.get("Expires"), asked)
        granted = [
            _first(_granted(binding.params.get("expires"), asked), general, asked)
            for binding in bindings
            if any(_names(binding.uri, own) for own in self._ours)
        ]
        if not granted:
            # No local Contact: echoed by none, rewritten on the way, or past reading. The shortest time that the
            # registrar names is the safe one: to refresh too early does no harm.
            named = [_granted(binding.params.get("expires"), asked) or asked for binding in bindings]
            granted = [min(_first(general, asked), asked, *named)]
        expires = min(granted)
        if expires <= 0:
            return False
        self.bound_until = self._sent_at + expires
        return True

    def _confirm(self, finished: Finished | None, now: float) -> None:
        assert finished is not None
        assert finished.response is not None
        assert self.bound_until is not None
        response = finished.response
        settings = self.settings
        granted = self.bound_until - self._sent_at
        self._failures = 0
        part = self._tokens.uniform(settings.refresh_earliest, settings.refresh_latest)
        self._due = max(self._sent_at + granted * part, now)
        self.service_route = _route_in(response)
        self._events.append(
            Registered(
                round(granted),
                tuple(response.contacts),
                self.service_route,
                _values(response, "Path"),
                _values(response, "P-Associated-URI"),
                response,
            )
        )

    def _back_off(self, finished: Finished | None, now: float) -> None:
        # RFC 5626 section 4.5: half to all of min(longest, base * 2**failures), and what Retry-After demands.
        assert finished is not None
        settings = self.settings
        self._go_home()
        bound = self.bound_until is not None and self.bound_until > now
        if not settings.retry:
            self.state = RegistrationState.ENDED
            self._events.append(RegistrationFailed(finished.status, finished.response, None, bound))
            return
        self._failures += 1
        upper = min(settings.backoff_longest, settings.backoff_base * 2.0 ** min(self._failures, 32))
        wait = self._tokens.uniform(upper / 2, upper)
        after = finished.response.retry_after if finished.response is not None else None
        if after is not None:
            wait = max(wait, min(float(after.seconds), settings.backoff_longest))
        self._due = now + wait
        self._asked = settings.expires
        self._events.append(RegistrationFailed(finished.status, finished.response, self._due, bound))


_WHOLE: Final = re.compile(r"\s*([0-9]{1,20})(\.?)")
_FOLLOWING: Final = frozenset((_S.REGISTERING, _S.UNREGISTERING))
_AT_RISK: Final = frozenset((_S.REGISTERING, _S.WAITING, _S.CLOSING))


def _names(uri: Uri, own: Uri) -> bool:
    """Return whether a Contact in the response is a local one (19.1.4); UDP is what no transport parameter means."""
    return uri.equivalent(own) or _without_udp(uri).equivalent(_without_udp(own))


def _without_udp(uri: Uri) -> Uri:
    if uri.transport != "udp":
        return uri
    return uri.replace(params={name: value for name, value in uri.params.items() if name != "transport"})


def _is_reached(host: str, local: str) -> bool:
    """Whether a host has the IP version of a local address; that of a name is not known yet."""
    if ":" in local or ":" in host:
        return (":" in host) == (":" in local) or not (":" in host or host.replace(".", "").isdigit())
    return True


def _no_other_way(hop: Hop) -> None:
    """Return no configuration for the hop of another transport: its REGISTER would have another Contact."""


def _nobody(realm: str, host: str) -> tuple[str, str] | None:
    return None


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _route_in(response: Response) -> tuple[str, ...]:
    """Return the values of Service-Route that can be a Route of a call; any other costs itself alone (RFC 3608)."""
    found = response.headers.each("service-route", NameAddr.parse, mend_address)
    return tuple(str(each) for each in found if not each.is_wildcard and each.uri.scheme in ("sip", "sips"))


def _granted(written: str | None, asked: int) -> int | None:
    """Return the seconds that a registrar grants, as it wrote them; None when it wrote none that can be read.

    A refresh that comes too early does no harm, one that comes too late loses the binding. So of a fraction the whole
    seconds count, one at least. A registrar may not grant more than was asked (RFC 3261 section 10.3 step 7): more than
    `MAX_MINIMUM` is not waited for.
    """
    found = _WHOLE.match(written or "")
    if found is None:
        return None
    digits, rest = found.groups()
    seconds = int(digits)
    return min(seconds, asked) if seconds > MAX_MINIMUM else max(seconds, 1) if rest else seconds


def _values(response: Response, name: str) -> tuple[str, ...]:
    return tuple(response.headers.values(name))
