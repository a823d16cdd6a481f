"""Parts of a server that stand before others: authentication, refusals by rule, silence by rule, and their chain.

Each is a handler: it gets a request, the time and the source, and returns a response, `Decision.PASS` for the next
handler, or `Decision.DROP` for no answer at all. RFC 3261 sections 8.2 and 22. All responses are stateless (8.2.7): a
repetition of a request gets the same answer. ACK gets no response, and one to such a response is dropped. Every table
has a bound. It uses no sockets and keeps no clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum, auto
from typing import Final, final

from ..auth.digest_server import DigestServer, PasswordLookup, Verdict
from ..errors import ParseError
from ..message.hop import Hop
from ..message.messages import Request, Response
from ..message.parser import METHODS
from ..transaction.stateless import stateless_tag
from .checks import (
    check_function,
    check_method,
    check_optional_function,
    check_pattern,
    check_place,
    check_tag_key,
)

UNCHALLENGED: Final = frozenset(("ACK", "CANCEL"))
"""Methods that cannot be challenged (RFC 3261 section 22.1)."""


class Decision(Enum):
    """What becomes of a request that a handler does not answer."""

    PASS = auto()
    """The next handler gets it."""
    DROP = auto()
    """It gets no answer."""


Handler = Callable[[Request, float, Hop], "Response | Decision"]
"""Called with a request, the time in monotonic seconds, and the source of the request."""


def is_own_ack(request: Request, tag_key: bytes) -> bool:
    """Whether a request is the ACK to a stateless response of this server, which ends here (RFC 3261 section 17.2.1).

    Args:
        tag_key: secret of the To tags of these responses.
    """
    return request.method == "ACK" and request.to_tag == stateless_tag(request, tag_key)


def refusal(
    request: Request, status: int, tag_key: bytes, reason: str | None = None, extra: Sequence[tuple[str, str]] = ()
) -> Response:
    """Return the stateless response that refuses a request (RFC 3261 section 8.2.7).

    Args:
        tag_key: secret of the To tag, at most 32 octets.
        reason: phrase; None = the usual one.
        extra: further headers, (name, value) each.
    """
    return Response.to_request(request, status, reason, to_tag=stateless_tag(request, tag_key), extra=extra)


def names_another(request: Request, user: str, domain_of: Callable[[str], str | None]) -> bool:
    """Whether From names another user of a served domain than the one that has proved a password.

    Callees show From, and digest authentication does not cover it (RFC 3261 section 22). A From that cannot be read is
    one of another user.

    Args:
        user: of the credentials.
        domain_of: returns the domain that a host stands for, None for one that is not served.
    """
    try:
        uri = request.from_.uri
    except ParseError:
        return True
    if uri.scheme not in ("sip", "sips") or not uri.user or uri.user == user:
        return False
    return domain_of(uri.host) is not None


@final
class Chain:
    """Handlers one after the other; the first that does not pass a request on decides.

    Args:
        handlers: each with the methods that it is for; none = all.
    """

    __slots__ = ("_handlers",)

    def __init__(self, *handlers: tuple[Collection[str], Handler]) -> None:
        """Check the pairs.

        Raises:
            TypeError: one is no pair of a collection of methods and a function.
            ValueError: a method is none.
        """
        for each in handlers:
            check_place(each)
        self._handlers = handlers

    def __call__(self, request: Request, now: float, source: Hop) -> Response | Decision:
        """Return what the first handler decides; `Decision.PASS` when all pass the request on."""
        for methods, handler in self._handlers:
            if not methods or request.method in methods:
                decided = handler(request, now, source)
                if decided is not Decision.PASS:
                    return decided
        return Decision.PASS


@final
class Authorize:
    """Challenges requests, and passes on those with right credentials (RFC 3261 section 22).

    A repetition of a request that was passed on is passed on again: nothing before this handler recognizes it, and its
    nonce count has been used.

    Args:
        server: makes and checks the challenges: 401, or 407 when it is that of a proxy.
        lookup: returns the password of a user.
        tag_key: secret of the To tags of the responses, at most 32 octets.
        within_dialogs: whether requests with a To tag are challenged too.
        most: passed requests that are remembered.
        time: seconds for which they are remembered; 32 s are the repetitions of a request (64*T1).
        on_refusal: called with each verdict that refuses a request.
    """

    __slots__ = ("_lookup", "_most", "_on_refusal", "_passed", "_server", "_tag_key", "_time", "_within_dialogs")

    def __init__(
        self,
        server: DigestServer,
        lookup: PasswordLookup,
        *,
        tag_key: bytes = b"",
        within_dialogs: bool = True,
        most: int = 10_000,
        time: float = 32.0,
        on_refusal: Callable[[Verdict], None] | None = None,
    ) -> None:
        """Check the arguments.

        Raises:
            TypeError: `lookup` or `on_refusal` is no function, or `tag_key` no octets.
            ValueError: `tag_key` is too long.
        """
        check_function("lookup", lookup, "the name of a user")
        check_optional_function("on_refusal", on_refusal, "a verdict")
        check_tag_key(tag_key)
        self._server = server
        self._lookup = lookup
        self._tag_key = tag_key
        self._within_dialogs = within_dialogs
        self._most = most
        self._time = time
        self._on_refusal = on_refusal
        self._passed: dict[tuple[str, ...], tuple[float, str]] = {}

    @property
    def realm(self) -> str:
        """The realm of the challenges."""
        return self._server.realm

    def __call__(self, request: Request, now: float, source: Hop) -> Response | Decision:
        """Return a challenge, or `Decision.PASS`."""
        judged = self.judge(request, now, source.host)
        return Decision.PASS if isinstance(judged, str) else judged

    def judge(self, request: Request, now: float, host: str = "") -> str | Response:
        """Return the user that sent a request, or the response that refuses it.

        Args:
            now: monotonic time in seconds.
            host: address of the source, to which nonces are bound; empty = to none.

        Returns:
            An empty user for a request that is not challenged.
        """
        if request.method in UNCHALLENGED or (request.to_tag is not None and not self._within_dialogs):
            return ""
        key = self._key(request, host)
        known = self._passed.get(key)
        if known is not None and known[0] > now:
            return known[1]
        verdict = self._server.verify(request, self._lookup, now, source=host)
        if verdict.ok:
            self._remember(key, now + self._time, verdict.username, now)
            return verdict.username
        if self._on_refusal is not None:
            self._on_refusal(verdict)
        user = request.from_.uri.user or ""
        status, extra = self._server.refusal(verdict, now, source=host, user=user)
        return refusal(request, status, self._tag_key, extra=extra)

    def _key(self, request: Request, host: str) -> tuple[str, ...]:
        """Return what a repetition has in common with its request, and nothing else has."""
        headers = request.headers
        credentials = headers.get_all("authorization") + headers.get_all("proxy-authorization")
        return (host, request.start_line, request.branch, request.call_id, str(request.cseq), *credentials)

    def _remember(self, key: tuple[str, ...], until: float, user: str, now: float) -> None:
        passed = self._passed
        passed.pop(key, None)
        while passed:
            oldest = next(iter(passed))
            if len(passed) < self._most and passed[oldest][0] > now:
                break
            del passed[oldest]
        passed[key] = (until, user)


@final
class Blocker:
    """Refuses requests by method, or by a part of their User-Agent.

    A 405 has the methods that are left in Allow (RFC 3261 section 21.4.6).

    Args:
        methods: the status by method.
        user_agents: the status by a part of User-Agent, which is not empty, compared without case; looked at first.
        tag_key: secret of the To tags of the responses, at most 32 octets.
    """

    __slots__ = ("_agents", "_allow", "_methods", "_tag_key")

    def __init__(
        self, methods: Mapping[str, int], user_agents: Mapping[str, int] | None = None, *, tag_key: bytes = b""
    ) -> None:
        """Check the rules.

        Raises:
            TypeError: `tag_key` is no octets.
            ValueError: a code is no final status that refuses, a method is none, or gets no response, or a part of
                User-Agent is empty.
        """
        agents = dict(user_agents or {})
        if wrong := [code for code in (*methods.values(), *agents.values()) if not 300 <= code <= 699]:
            raise ValueError(f"{wrong[0]} does not refuse a request; give a status from 300 to 699")
        for method in methods:
            check_method(method)
        if "ACK" in methods:
            raise ValueError("ACK gets no response (RFC 3261 section 17); leave it out")
        if not all(agents):
            raise ValueError("an empty text is in every User-Agent; give a part of one")
        check_tag_key(tag_key)
        self._methods = dict(methods)
        self._allow = ", ".join(sorted(METHODS - methods.keys()))
        self._agents = {text.lower(): code for text, code in agents.items()}
        self._tag_key = tag_key

    def __call__(self, request: Request, now: float, source: Hop) -> Response | Decision:
        """Return the refusal of a request that a rule names; drop the ACK to one."""
        if request.method == "ACK":
            return Decision.DROP if is_own_ack(request, self._tag_key) else Decision.PASS
        agent = (request.headers.get("User-Agent") or "").lower()
        status = next((code for text, code in self._agents.items() if text in agent), 0)
        status = status or self._methods.get(request.method, 0)
        if not status:
            return Decision.PASS
        extra = [("Allow", self._allow)] if status == 405 else []
        return refusal(request, status, self._tag_key, extra=extra)


@final
class Dropper:
    """Gives no answer to requests by a header, or by how many their source sends.

    Args:
        fields: by header name a pattern that is searched for in each value of it.
        attempts: requests of one address in `interval` that are answered; 0 = any number.
        interval: seconds.
        most: addresses that are counted; of more, the one that began first is forgotten.
    """

    __slots__ = ("_attempts", "_fields", "_interval", "_most", "_seen")

    def __init__(
        self,
        fields: Mapping[str, re.Pattern[str]] | None = None,
        *,
        attempts: int = 0,
        interval: float = 60.0,
        most: int = 10_000,
    ) -> None:
        """Check the patterns.

        Raises:
            TypeError: one is not compiled.
        """
        for name, pattern in (fields or {}).items():
            check_pattern(name, pattern)
        self._fields = dict(fields or {})
        self._attempts = attempts
        self._interval = interval
        self._most = most
        self._seen: dict[str, tuple[float, int]] = {}

    @property
    def seen(self) -> Mapping[str, tuple[float, int]]:
        """By address: when its interval began, and its requests since then; to be kept by the caller."""
        return self._seen

    def restore(self, seen: Mapping[str, tuple[float, int]]) -> None:
        """Take what was kept of `seen`."""
        self._seen = dict(list(seen.items())[-self._most :])

    def __call__(self, request: Request, now: float, source: Hop) -> Response | Decision:
        """Return `Decision.DROP` for a request that a rule names."""
        for name, pattern in self._fields.items():
            if any(pattern.search(value) for value in request.headers.get_all(name)):
                return Decision.DROP
        if self._attempts and self._count(source.host, now) > self._attempts:
            return Decision.DROP
        return Decision.PASS

    def _count(self, host: str, now: float) -> int:
        began, count = self._seen.get(host, (now, 0))
        if now - began >= self._interval:
            began, count = now, 0
            self._seen.pop(host, None)
        if host not in self._seen and len(self._seen) >= self._most:
            del self._seen[next(iter(self._seen))]
        self._seen[host] = (began, count + 1)
        return count + 1
