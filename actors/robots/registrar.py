"""The registrar of a node: it answers each REGISTER, and by 302 what is for an address, where that is wished.

The decisions are those of `sipcore.server`. Each REGISTER has a server transaction (`actors.requests`), which answers
repetitions. A node has one call worker then, because two REGISTERs for one address may have different Call-IDs. The
bindings are in a file, that of the user or one of the node's own: the death of a process must lose none of them.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from typing import Final

from sipswarm.sipcore.auth.digest_server import DigestServer, Outcome, Verdict
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.server.filters import Authorize, Decision
from sipswarm.sipcore.server.location import LocationStore, user_of
from sipswarm.sipcore.server.nat import Reached
from sipswarm.sipcore.server.redirect import Redirect
from sipswarm.sipcore.server.registrar import EXTENSIONS, Registrar, RegistrarSettings

from ..bus.messages import SipReceived
from ..call_worker.application import Application
from ..call_worker.authentication import OFFERED, AuthContext, named
from ..call_worker.out_of_dialog import Arrivals
from ..counting.totals import Cell
from ..diagnosis.server_options import ServerConfig
from .binding_file import BindingFile
from .domains import Domains

REGISTER: Final = "REGISTER"
SWEEP: Final = 1.0
"""Seconds between two looks for bindings that have ended."""


def authorizer(context: AuthContext, config: ServerConfig, domains: Domains, *, proxy: bool) -> Authorize:
    """Return what challenges the users of a node.

    Args:
        proxy: by 407 instead of 401.
    """

    def refused(verdict: Verdict) -> None:
        context.refused("unauthorized" if verdict.outcome is Outcome.WRONG else "challenged")

    server = DigestServer(
        context.tokens.hexadecimal(64).encode(),
        config.realm,
        context.tokens,
        slot=context.slot,
        algorithms=config.algorithms or OFFERED,
        proxy=proxy,
        require_qop=False,
        other_uri=named(lambda host: domains.domain_of(host) is not None),
    )
    return Authorize(server, domains.password_of, tag_key=context.tag_key, on_refusal=refused)


class RegistrarRobot(Application):
    """The registrar of one node.

    Args:
        domains: whose addresses register.
        arrivals: of incoming requests.
        now: monotonic seconds.
        kept: path of the file of bindings; empty = they are kept nowhere.
        source_of: returns where a request came from, for contacts behind a NAT; None = their URIs lead to them.
        bindings: shows their number.
    """

    scenario = "registrar"

    def __init__(
        self,
        config: ServerConfig,
        domains: Domains,
        arrivals: Arrivals,
        now: Callable[[], float],
        *,
        kept: str,
        bindings: Cell,
        source_of: Callable[[Request], Reached | None] | None = None,
    ) -> None:
        self._now = now
        self._domains = domains
        self._source_of = source_of
        self._shown = bindings
        self._file = BindingFile(kept, now, time.time) if kept else None
        self.store = LocationStore(changed=self._file.note if self._file is not None else None)
        """The bindings, by which a proxy of the same worker finds the users."""
        if self._file is not None:
            self._file.restore(self.store, config.expires[2])
        self.forget_strangers()
        self._next_sweep = now() + SWEEP
        context = arrivals.auth
        least, usual, most = config.expires
        settings = RegistrarSettings(
            least, usual, most, domain_of=domains.domain_of, knows=domains.knows, tag_key=context.tag_key
        )
        self._registrar = Registrar(self.store, settings)
        self._authorize = authorizer(context, config, domains, proxy=False) if domains.users is not None else None
        self._arrivals = arrivals
        self._redirect = Redirect(self.store, domains.domain_of, knows=domains.knows, tag_key=context.tag_key)
        arrivals.serve(
            replace(
                arrivals.policy,
                handlers={**arrivals.policy.handlers, REGISTER: self._register},
                extensions=tuple((REGISTER, tag) for tag in sorted(EXTENSIONS)),
                options_status=200,
                relay=self._take_first if config.redirect else None,
            )
        )

    def _register(self, request: Request) -> Response:
        now, user = self._now(), ""
        if self._authorize is not None:
            judged = self._authorize.judge(request, now)
            if isinstance(judged, Response):
                return judged
            user = judged
        reached = self._source_of(request) if self._source_of is not None else None
        return self._registrar.take(request, now, user=user, date=formatdate(usegmt=True), reached=reached)

    def _take_first(self, message: Request | Response, source: Hop, record: SipReceived, now: float) -> bool:
        """Answer a request that is redirected; False = the message is no such request."""
        if isinstance(message, Response):
            return False
        decided = self._redirect(message, now, source)
        if isinstance(decided, Response):
            self._arrivals.answer(decided, record)
        return decided is not Decision.PASS

    def forget_strangers(self) -> int:
        """Remove the bindings of those who are no users any more, and return the number of their addresses."""
        knows = self._domains.knows
        gone = [] if knows is None else [each for each in self.store.addresses if not knows(user_of(each))]
        for address in gone:
            self.store.replace(address, ())
        return len(gone)

    def update_gauges(self) -> None:
        """Take out what has ended, show the number of bindings, and tidy their file up."""
        now = self._now()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP
            self.store.sweep(now)
            if self._file is not None:
                self._file.tidy(self.store)
        self._shown.value = self.store.count
