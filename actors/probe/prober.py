"""Runs probes, each with a user agent of its own, within a time and within a number at once.

Order: the target is completed, its places are looked up and permitted, a connection shows how it is reached, then the
SIP is sent. A probe returns as soon as its result is known; its user agent ends behind it, with BYE or CANCEL where
they are due, and gives its place back then. Nothing is shared between two probes, so that each sees DNS, connection
and certificate as they are now. Nothing must be sent to a place that was not permitted.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri

from ..agent.user_agent import UserAgent
from ..config import Listener, format_host
from ..errors import ConfigurationError, HostUnreachable, Overloaded, SwarmError
from ..transport import tls
from ..transport.local_addresses import LocalAddresses
from ..transport.names.dns_records import Lookup
from .module import Module
from .reaching import ProbeLookup, connect, places
from .registering import ProbeRegistration, Registrant
from .report import CALL_PHASES, OPTIONS_PHASES, REGISTER_PHASES, Failure, ProbeFailed, ProbeReport
from .sending import FirstResponse, ProbeCall, send_options

_SHORTEST: Final = 0.02
"""Seconds of the shortest wait for the steps of a probe."""
_EVERY_ADDRESS: Final = {False: "0.0.0.0", True: "::"}
_logger = logging.getLogger(__name__)


class _Start:
    """The time that the start of the user agent takes, which is none of the target's.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = 0.0
        self._ended = 0.0

    def begin(self) -> None:
        """Note its begin."""
        self._began = self._clock()

    def end(self) -> None:
        """Note its end."""
        self._ended = self._clock()

    @property
    def seconds(self) -> float:
        """Seconds until now or its end; 0 before its begin."""
        return (self._ended or self._clock()) - self._began if self._began else 0.0


class Prober:
    """Runs probes in the running loop.

    Args:
        complete: makes the SIP URI of a target that a user wrote, by its module; raises ConfigurationError.
        permit: raises ConfigurationError for an address that a module must not send to: (URI, address, module).
        most: probes at once, those whose user agents have not ended included.
        lookup: sends DNS queries; None = to the system's servers.
        clock: monotonic seconds, finer than the milliseconds of a loop.
    """

    def __init__(
        self,
        complete: Callable[[str, Module], str],
        permit: Callable[[str, str, Module], None],
        *,
        most: int,
        lookup: Lookup | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._complete = complete
        self._permit = permit
        self._most = most
        self._lookup = lookup
        self._clock = clock
        self._taken = 0
        self._is_closed = False
        self._running: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def taken(self) -> int:
        """Probes at work, those whose user agents have not ended included."""
        return self._taken

    async def probe(
        self,
        target: str,
        module: Module,
        *,
        timeout: float,
        start_counts: bool = True,
        on_note: Callable[[str], None] = lambda text: None,
    ) -> ProbeReport:
        """Run one probe.

        Args:
            target: SIP URI, of which `sip:` may be left out.
            timeout: seconds that it may take.
            start_counts: the start of the user agent counts, as it does for a scraper that waits.
            on_note: called with each step.

        Raises:
            ConfigurationError: the target is malformed or not permitted, or the module cannot be used; nothing was
                sent.
            Overloaded: too many probes are at work, or the prober is closed.
        """
        uri = self._complete(target, module)
        if self._is_closed:
            raise Overloaded("no further probe is taken: the program is ending")
        if self._taken >= self._most:
            raise Overloaded(f"{self._taken} probes are at work, which is the bound; raise --max-probes")
        checks = module.checks
        who = Registrant.of(uri, module.settings.account.from_) if checks.register else None
        phases = CALL_PHASES if checks.call else REGISTER_PHASES if checks.register else OPTIONS_PHASES
        report = ProbeReport(uri, phases=phases, clock=self._clock, on_note=on_note)
        agents: list[tuple[UserAgent, asyncio.Task[UserAgent]]] = []
        self._taken += 1
        start = _Start(self._clock)
        steps = asyncio.ensure_future(self._steps(uri, module, who, report, agents, start))
        self._running.add(steps)
        try:
            done = bool((await asyncio.wait((steps,), timeout=timeout))[0])
            while not done and not start_counts and (left := timeout + start.seconds - report.elapsed) > 0:
                done = bool((await asyncio.wait((steps,), timeout=max(left, _SHORTEST)))[0])
            if not done:
                report.fail_in_time(timeout)
                steps.cancel()
                await asyncio.wait((steps,))
            if not steps.cancelled():
                _note_end(steps.exception(), report)
            elif not report.failure:
                report.fail(Failure.LOCAL, "the program is ending")
        finally:
            steps.cancel()
            self._running.discard(steps)
            report.end()
            self._close_behind(agents)
        return report

    async def close(self) -> None:
        """Take no further probe, cancel those at work, and wait for the end of their user agents."""
        self._is_closed = True
        for each in self._running:
            each.cancel()
        while self._running or self._closing:
            await asyncio.wait((*self._running, *self._closing))

    async def _steps(
        self,
        uri: str,
        module: Module,
        who: Registrant | None,
        report: ProbeReport,
        agents: list[tuple[UserAgent, asyncio.Task[UserAgent]]],
        start: _Start,
    ) -> None:
        """Do everything that a probe does.

        Args:
            who: is registered; None = the probe registers nobody.
            agents: gets the user agent, with the task that starts it.
            start: notes how long that takes.
        """
        checks, account = module.checks, module.settings.account
        lookup = ProbeLookup(self._lookup)
        first_uri = Uri.parse(account.proxy or uri)
        hops = await places(first_uri, checks.ip_protocol, lookup, report)
        for hop in hops:
            self._permit(account.proxy or uri, hop.host, module)
        context = tls.client_context(module.settings.tls) if any(hop.transport == "tls" for hop in hops) else None
        await connect(hops, first_uri.maddr or first_uri.host, context, module.local_ip, report)
        first = FirstResponse((account.user, account.password), report) if account.user and not checks.call else None
        agent = _user_agent(module, hops, lookup, first, who)
        report.waits("the start of the user agent", Failure.LOCAL)
        start.begin()
        started = asyncio.ensure_future(agent.__aenter__())
        agents.append((agent, started))
        await asyncio.shield(started)
        start.end()
        if checks.call:
            await ProbeCall(agent, uri, checks, report).run()
        elif who is not None:
            seen = LocalAddresses(agent.legs[:1], module.settings.advertise).toward(0, hops[0].host).seen
            await ProbeRegistration(agent, who, seen, checks, first, report).run()
        else:
            await send_options(agent, uri, checks, first, report)

    def _close_behind(self, agents: Sequence[tuple[UserAgent, asyncio.Task[UserAgent]]]) -> None:
        """End the user agent of a probe; its place is free then."""
        closing = asyncio.ensure_future(_close(agents))
        self._closing.add(closing)
        closing.add_done_callback(self._closed)

    def _closed(self, closing: asyncio.Task[None]) -> None:
        self._closing.discard(closing)
        self._taken -= 1
        if not closing.cancelled() and closing.exception() is not None:
            _logger.error("the user agent of a probe did not end cleanly", exc_info=closing.exception())


def _note_end(error: BaseException | None, report: ProbeReport) -> None:
    """Note how the steps ended.

    Raises:
        ConfigurationError: nothing was sent, because the target is not permitted or the module cannot be used.
    """
    match error:
        case None:
            return
        case ProbeFailed():
            report.fail(error.failure, str(error))
        case HostUnreachable():
            report.fail(Failure.RESOLVE, str(error))
        case ConfigurationError():
            raise error
        case SwarmError() | OSError():
            report.fail(Failure.LOCAL, str(error) or type(error).__name__)
        case _:
            raise error


async def _close(agents: Sequence[tuple[UserAgent, asyncio.Task[UserAgent]]]) -> None:
    for agent, started in agents:
        await asyncio.wait((started,))
        if not started.cancelled() and started.exception() is None:
            await agent.__aexit__(None, None, None)


def _user_agent(
    module: Module, hops: Sequence[Hop], lookup: Lookup, first: FirstResponse | None, who: Registrant | None
) -> UserAgent:
    """Return the user agent of a probe, with a leg for each transport and IP version of its places.

    Args:
        first: answers challenges, those of a call left out.
        who: is registered; the registrar is the place of all requests then.
    """
    settings, account = module.settings, module.settings.account
    listeners = [_listener(module, hop) for hop in hops]
    if module.local_ip or module.local_port:
        listeners = listeners[:1]  # the user has chosen one address
    legs = tuple(dict.fromkeys(map(str, listeners)))
    from_ = who.address if who is not None else account.from_
    if not from_:
        host = LocalAddresses(listeners[:1], settings.advertise).toward(0, hops[0].host).seen.host
        from_ = f"sip:sipswarm@{format_host(host)}"
    credentials = (account.user, account.password) if account.user else None
    return UserAgent(
        from_,
        legs=legs,
        advertise=settings.advertise,
        outgoing_proxy=account.proxy or (who.registrar if who is not None else ""),
        auth=first if first is not None else credentials,
        headers=account.headers,
        codecs=settings.codecs,
        srtp=settings.srtp,
        tls=settings.tls,
        rtp_ports=settings.rtp_ports,
        send_to=settings.send_to,
        strict=settings.strict,
        dnsresolv=lookup,
        trace=module.checks.call,
        sip_trace=settings.sip_trace,
    )


def _listener(module: Module, hop: Hop) -> Listener:
    """Return the local address toward a place.

    Raises:
        ConfigurationError: the local address of the module is none, or of the other IP version.
    """
    is_six = ":" in hop.host
    local = Listener.parse(str(Listener(hop.transport, module.local_ip or _EVERY_ADDRESS[is_six], module.local_port)))
    if (":" in local.host) != is_six:
        raise ConfigurationError(f"-i {module.local_ip} does not reach {hop.host}; leave -i out")
    return local
