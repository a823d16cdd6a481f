"""Callers must say who they are: the digest challenge in front of calls that come in (man page `listen`, `auth_*`).

INVITE and OPTIONS outside of a dialog, and every request of a caller within it, are let through with the right
credentials and answered 401 without them; ACK and CANCEL cannot be challenged (RFC 3261 section 22.1). The nonces are
`sipcore.auth.digest_server`'s: signed, timed, named after the slot, bound to the source, each count good once
(RELIABILITY S7). A 401 needs no state: a repeated request gets another one. What is a repetition of something already
let through is for the caller of `judge` to know, because its nonce count would be used by then.

The default lets in what other servers let in: MD5 is offered first, because SIPp and many phones read the first
challenge only; credentials without qop are taken, each nonce then once (RFC 3261 section 22.4); and the digest uri may
be one that the caller wrote and a proxy replaced. `auth_strict` asks for what RFC 7616 and RFC 8760 want.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final, NamedTuple, TypeVar

from sipswarm.sipcore.auth.aka import NAME as AKA
from sipswarm.sipcore.auth.aka import AkaKeys, AkaServer
from sipswarm.sipcore.auth.digest import ALGORITHMS
from sipswarm.sipcore.auth.digest_server import DigestServer, Outcome
from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.transaction.stateless import stateless_tag

from ..diagnosis.crash_log import FAILURES, CrashLog
from ..diagnosis.foreign_text import shown
from ..errors import ConfigurationError
from ..runtime.callbacks import Callback, StopVariable, answers_later, ask

OFFERED: Final = ("MD5", "SHA-256")
"""algorithms of the challenges, in this order: SIPp and many phones read the first challenge only"""
STRICT: Final = ("SHA-256", "MD5")
"""the same for `auth_strict`, the stronger one first (RFC 8760 section 2.4)"""
QOP: Final = ("optional", "required", "none")
"""`auth_qop`: offered, and credentials without it are taken; offered and required; not offered"""
URI: Final = ("named", "request", "any")
"""`auth_uri`: which digest uri is taken besides one that is the Request-URI: one that shares its user with Request-URI
or To, or its host with a field of the request, the realm or a listener; none; every"""
_OPTIONS: Final = (
    *("auth_user2pass", "auth_user2a1", "auth_realm", "auth_opaque", "auth_algorithms"),
    *("auth_qop", "auth_uri", "auth_strict", "auth_user2aka"),
)
_BY_LENGTH: Final = {32: "MD5", 64: "SHA-256"}

_logger = logging.getLogger(__name__)
_Field = TypeVar("_Field")
Users = Mapping[str, Any] | Callback


class AuthContext(NamedTuple):
    """What a challenger uses of its call worker."""

    tokens: Tokens
    slot: int
    tag_key: bytes
    """secret of the To tags of stateless answers"""
    is_ours: Callable[[str], bool]
    """whether a host is an address of a listener"""
    refused: Callable[[str], None]
    """counts a request that is refused, by reason"""
    crashes: CrashLog


class Challenger:
    """The one that asks, for the calls of one worker.

    context: see `AuthContext`. realm: what users have their passwords for. passwords: password by
    user, or a callback that is given the user. hashes: in place of passwords H(user:realm:password), as text (MD5 or
    SHA-256, by its length) or as a mapping by algorithm, by user or from a callback that is given (user, realm); asked
    before `passwords`. opaque: handed out with each challenge. algorithms: offered in this order; by default those that
    all users can be verified with. qop: one of `QOP`. uri: one of `URI`. strict: changes the defaults to `STRICT`,
    "required" and "request". aka: for AKAv1-MD5 (RFC 3310), (K, OP, AMF) or `AkaKeys` by user, or a callback that is
    given the user.

    Raises:
        ConfigurationError: nobody could be verified, or a lookup is a coroutine function.
    """

    def __init__(
        self,
        context: AuthContext,
        realm: str,
        *,
        passwords: Users = None,
        hashes: Users = None,
        opaque: str = "",
        algorithms: str | Sequence[str] = (),
        qop: str = "",
        uri: str = "",
        strict: bool = False,
        aka: Users = None,
    ) -> None:
        if passwords is None and hashes is None and aka is None:
            raise ConfigurationError(
                "these options let nobody in; give auth_user2pass or auth_user2a1 too, or auth_user2aka"
            )
        _check_users("auth_user2pass", passwords, _password)
        _check_users("auth_user2a1", hashes, _by_algorithm)
        _check_users("auth_user2aka", aka, _keys_of)
        self._passwords, self._hashes, self._aka, self._realm = passwords, hashes, aka, realm
        self._context = context
        qop = _one_of("auth_qop", qop or ("required" if strict else "optional"), QOP)
        uri = _one_of("auth_uri", uri or ("request" if strict else "named"), URI)

        def is_ours(host: str) -> bool:
            return host == realm.lower() or context.is_ours(host)

        algorithms = (algorithms,) if isinstance(algorithms, str) and algorithms else tuple(algorithms)
        if not algorithms:
            algorithms = _verifiable(passwords, hashes, aka, STRICT if strict else OFFERED)
        try:
            self._server = DigestServer(
                context.tokens.hexadecimal(64).encode(),
                realm,
                context.tokens,
                slot=context.slot,
                algorithms=algorithms,
                qop=() if qop == "none" else ("auth",),
                window=1,
                require_qop=qop == "required",
                bind_uri=uri != "any",
                other_uri=_named(is_ours) if uri == "named" else None,
                opaque=opaque,
                aka=AkaServer(self._keys) if aka is not None else None,
            )
        except ValueError as error:
            raise ConfigurationError(f"auth_algorithms {algorithms!r}: {error}") from error

    @classmethod
    def from_options(cls, context: AuthContext, realm: str, param: dict[str, Any]) -> "Challenger | None":
        """Take the `auth_*` options out of the parameters of `listen`; None when there are none.

        realm: the default. param: is changed.

        Raises:
            ConfigurationError: an option is not known, or as for the constructor.
        """
        options = {name: param.pop(name) for name in list(param) if name.startswith("auth_")}
        if unknown := options.keys() - set(_OPTIONS):
            raise ConfigurationError(f"listen knows {', '.join(_OPTIONS)}, not {', '.join(sorted(unknown))}")
        if not options:
            return None
        return cls(
            context,
            options.get("auth_realm") or realm,
            passwords=options.get("auth_user2pass"),
            hashes=options.get("auth_user2a1"),
            opaque=options.get("auth_opaque", ""),
            algorithms=options.get("auth_algorithms") or (),
            qop=options.get("auth_qop", ""),
            uri=options.get("auth_uri", ""),
            strict=bool(options.get("auth_strict")),
            aka=options.get("auth_user2aka"),
        )

    def judge(self, request: Request, host: str, now: float) -> "str | Response":
        """The user that sent a request, or the final response that turns it away.

        host: the address that it came from. now: monotonic time in seconds.
        """
        if request.method in ("ACK", "CANCEL"):
            return ""
        try:
            verdict = self._server.verify(request, self._lookup, now, source=host)
        except FAILURES as error:
            text = f"the lookup of a user failed; the {shown(request.method)} of {host} is refused"
            self._context.crashes.tell(text, error)
            return self._answer(request, 500, ())
        if verdict.ok:
            return verdict.username
        if verdict.detail:
            _logger.info("%s of %s is refused: %s", request.method, host, verdict.detail)
        self._context.refused("unauthorized" if verdict.outcome is Outcome.WRONG else "challenged")
        user = request.from_.uri.user or ""
        return self._answer(request, *self._server.refusal(verdict, now, source=host, user=user))

    def _answer(self, request: Request, status: int, extra: Sequence[tuple[str, str]]) -> Response:
        tag = request.to_tag or stateless_tag(request, self._context.tag_key)
        return Response.to_request(request, status, to_tag=tag, extra=extra)

    def _lookup(self, user: str) -> str | Mapping[str, str] | None:
        """The password of a user, or its hashes by algorithm; None when nobody has that name."""
        found = _ask(self._hashes, user, self._realm)
        if found is not None:
            return _by_algorithm(found)
        password = _ask(self._passwords, user)
        return None if password is None else _password(password)

    def _keys(self, user: str) -> AkaKeys | None:
        """The keys of a user for AKA; None when nobody has that name."""
        found = _ask(self._aka, user)
        return None if found is None else _keys_of(found)


def _ask(users: Users, user: str, *more: str) -> Any:
    return users.get(user) if isinstance(users, Mapping) else ask(users, user, *more)


def _check_users(option: str, users: Users, read: Callable[[Any], object]) -> None:
    """Check who is given: a mapping by user whose values can be read, or a callback that answers at once.

    Raises:
        ConfigurationError: it is neither; a value cannot be read; the callback is a coroutine function.
    """
    if users is None:
        return
    if isinstance(users, Mapping):
        for user, given in users.items():
            if not isinstance(user, str):
                raise ConfigurationError(f"{option}: the user {shown(repr(user))} is {type(user).__name__}, not text")
            try:
                read(given)
            except (TypeError, ValueError) as error:
                raise ConfigurationError(f"{option}: {shown(user)}: {error}") from error
        return
    if answers_later(users):
        raise ConfigurationError(f"{option} is answered at once; give a plain function")
    asked = users[0] if isinstance(users, tuple | list) and users else users
    if not (callable(asked) or callable(getattr(asked, "run", None))) or isinstance(asked, StopVariable):
        raise ConfigurationError(
            f"{option} is {type(users).__name__}: give a mapping by user, or a function that is given the user"
        )


def _password(given: Any) -> str:
    """A password; a number is taken as it is written. Raises TypeError for what is none."""
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise TypeError(f"a password is text, not {type(given).__name__}")
    return str(given)


def _by_algorithm(given: Any) -> dict[str, str]:
    """H(user:realm:password) by algorithm; raises ValueError for what is none."""
    if isinstance(given, Mapping):
        return {str(name): str(value).lower() for name, value in given.items()}
    text = str(given).lower()
    if len(text) not in _BY_LENGTH:
        raise ValueError("no H(user:realm:password): neither the 32 digits of MD5 nor the 64 of SHA-256")
    return {_BY_LENGTH[len(text)]: text}


def _one_of(option: str, value: object, known: tuple[str, ...]) -> str:
    """A word of a few; raises ConfigurationError for another."""
    if value not in known:
        raise ConfigurationError(f"{option} {value!r} is not one of {', '.join(known)}")
    return str(value)


def _host_key(host: str) -> str:
    """A host for comparing: lower case, an IPv6 address in its shortest form."""
    try:
        return str(ip_address(host))
    except ValueError:
        return host.lower()


def _named(is_ours: Callable[[str], bool]) -> Callable[[str, Request], bool]:
    """The rule "named" of `URI`. is_ours: whether a host, by `_host_key`, is one of ours."""

    def rule(written: str, request: Request) -> bool:
        user, host = _named_by(written)
        if is_ours(host):
            return True
        callees = [each for read in (lambda: request.request_uri, lambda: request.to.uri) for each in _read(read)]
        if user and any(user == each.user for each in callees):
            return True
        hosts = {_host_key(each.host) for each in callees} | {_host_key(host) for host in _passed(request)}
        return bool(host) and host in hosts

    return rule


def _named_by(written: str) -> tuple[str, str]:
    """User and host of a digest uri, both empty when there is none; also of SIPp's `sip:::1:5060`."""
    try:
        uri = Uri.parse(written)
    except ParseError:
        return "", _host_key(written.partition(":")[2].rpartition(":")[0])
    return uri.user or "", _host_key(uri.host)


def _passed(request: Request) -> Iterator[str]:
    """The hosts that a request has passed and is to pass: a caller may take its proxy for the callee."""
    yield from (via.host for vias in _read(lambda: request.vias) for via in vias)
    for read in (lambda: request.routes, lambda: request.record_routes):
        yield from (each.uri.host for places in _read(read) for each in places)


def _read(field: Callable[[], _Field]) -> tuple[_Field, ...]:
    """What a field of a request says; nothing when it cannot be read."""
    try:
        return (field(),)
    except ParseError:
        return ()


def _keys_of(given: Any) -> AkaKeys:
    """Keys of AKA as a user gives them; raises ConfigurationError for what is none."""
    if isinstance(given, AkaKeys):
        return given
    try:
        return AkaKeys.of(*given)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"auth_user2aka: {error}; give (K, OP, AMF) for each user") from error


def _verifiable(passwords: Users, hashes: Users, aka: Users, offered: tuple[str, ...]) -> tuple[str, ...]:
    """The algorithms with which every user can be verified; of a callback's hashes MD5 is what can be counted on.

    Raises:
        ConfigurationError: there is none.
    """
    last = () if aka is None else (AKA,)
    if hashes is None:
        return last if passwords is None else offered + last
    if not isinstance(hashes, Mapping):
        return ("MD5", *last)
    try:
        known = [_by_algorithm(each) for each in hashes.values()]
    except ValueError as error:
        raise ConfigurationError(f"auth_user2a1: {error}") from error
    common = tuple(name for name in (*offered, *ALGORITHMS) if all(name in each for each in known))
    if not common:
        raise ConfigurationError("auth_user2a1: no algorithm is there for every user")
    return (*dict.fromkeys(common), *last)
