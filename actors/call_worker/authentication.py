"""The digest challenge of incoming requests (man page `listen`, options `auth_*`).

It challenges INVITE and OPTIONS outside of a dialog, and every request of the remote side within its call. A request
with the right credentials passes, one without them gets 401; ACK and CANCEL cannot be challenged (RFC 3261 section
22.1). `sipcore.auth.digest_server` makes the nonces: signed, timed, named after the slot, bound to the source, each
count valid once. A 401 needs no state: a repeated request gets another one. The caller of `judge` must recognise the
repetition of a request that has passed, because its nonce count is used by then.

The default accepts what other servers accept. MD5 alone is offered: SIPp and many phones read the first challenge only,
and some give up at one of another algorithm beside it, which RFC 8760 section 2.4 has a client pass over. Credentials
without qop are accepted, each nonce then once (RFC 3261 section 22.4). The digest uri may be one that the UAC wrote and
a proxy replaced. `auth_strict` requires what RFC 7616 and RFC 8760 require.
"""

import logging
import re
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

from ..diagnosis.crash_log import CrashLog
from ..diagnosis.foreign_text import said, shown
from ..diagnosis.user_code import USER_FAILURES, where_failed
from ..errors import ConfigurationError
from ..handle.given_text import checked_flag, checked_list, checked_text
from ..runtime.callbacks import Callback, StopVariable, answers_later, ask

OFFERED: Final = ("MD5",)
"""Algorithms of the challenges: SIPp and many phones read the first one only, and libre, which is in baresip 1.0, gives
up at any that it does not know, also beside MD5."""
STRICT: Final = ("SHA-256", "MD5")
"""The same for `auth_strict`, the stronger one first (RFC 8760 section 2.4)."""
QOP: Final = ("optional", "required", "none")
"""Values of `auth_qop`: offered, and credentials without it are accepted; offered and required; not offered."""
URI: Final = ("named", "request", "any")
"""Values of `auth_uri`: which digest uri is accepted besides one that is the Request-URI.

- "named": one that shares its user with Request-URI or To, or its host with a field, the realm or a listener.
- "request": no other.
- "any": every one.
"""
_OPTIONS: Final = (
    *("auth_user2pass", "auth_user2a1", "auth_realm", "auth_opaque", "auth_algorithms"),
    *("auth_qop", "auth_uri", "auth_strict", "auth_user2aka"),
)
_BY_LENGTH: Final = {32: "MD5", 64: "SHA-256"}
_DIGEST: Final = re.compile(r"[0-9a-f]+")

_logger = logging.getLogger(__name__)
_Field = TypeVar("_Field")
Users = Mapping[str, Any] | Callback


class AuthContext(NamedTuple):
    """The parts of its call worker that a challenger uses."""

    tokens: Tokens
    slot: int
    tag_key: bytes
    """Secret of the To tags of stateless answers."""
    is_ours: Callable[[str], bool]
    """Whether a host is the address of a local listener."""
    refused: Callable[[str], None]
    """Counts a request that is refused, by reason."""
    crashes: CrashLog


class Challenger:
    """The challenger of one worker's calls.

    Args:
        context: see `AuthContext`.
        realm: the realm of the passwords.
        passwords: password by user, or a callback that is called with the user.
        hashes: instead of passwords H(user:realm:password), by user or from a callback that is called with (user,
            realm). As text (MD5 or SHA-256, by its length) or as a mapping by algorithm. Looked up before `passwords`.
        opaque: sent with each challenge.
        algorithms: offered in this order; by default MD5, or what can verify all users.
        qop: one of `QOP`.
        uri: one of `URI`.
        strict: changes the defaults to `STRICT`, "required" and "request".
        aka: for AKAv1-MD5 (RFC 3310), (K, OP, AMF) or `AkaKeys` by user, or a callback that is called with the user.

    Raises:
        ConfigurationError: no user could be verified, or a lookup is a coroutine function.
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
                "these options admit no user; give auth_user2pass or auth_user2a1 too, or auth_user2aka"
            )
        _check_users("auth_user2pass", passwords, _password)
        _check_users("auth_user2a1", hashes, _by_algorithm)
        _check_users("auth_user2aka", aka, _keys_of)
        self._passwords, self._hashes, self._aka, self._realm = passwords, hashes, aka, realm
        self._given = next((each for each in (hashes, passwords, aka) if each is not None), None)
        """For the place of a failure that came through no line of the user's."""
        self._context = context
        qop = _one_of("auth_qop", qop or ("required" if strict else "optional"), QOP)
        uri = _one_of("auth_uri", uri or ("request" if strict else "named"), URI)

        def is_ours(host: str) -> bool:
            return host == realm.lower() or context.is_ours(host)

        algorithms = [
            checked_text("auth_algorithms", each) for each in checked_list("auth_algorithms", algorithms or ())
        ]
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
                other_uri=named(is_ours) if uri == "named" else None,
                opaque=opaque,
                aka=AkaServer(self._keys) if aka is not None else None,
            )
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"auth_algorithms {said(algorithms)}: {error}") from error

    @classmethod
    def from_options(cls, context: AuthContext, realm: str, param: dict[str, Any]) -> "Challenger | None":
        """Take the `auth_*` options out of the parameters of `listen`; return None without any.

        Args:
            realm: the default.
            param: is changed.

        Raises:
            ConfigurationError: an option has no such name, or as for the constructor.
        """
        options = {name: param.pop(name) for name in list(param) if name.startswith("auth_")}
        if unknown := options.keys() - set(_OPTIONS):
            raise ConfigurationError(f"listen knows {', '.join(_OPTIONS)}, not {', '.join(sorted(unknown))}")
        if not options:
            return None
        return cls(
            context,
            checked_text("auth_realm", options.get("auth_realm") or realm),
            passwords=options.get("auth_user2pass"),
            hashes=options.get("auth_user2a1"),
            opaque=checked_text("auth_opaque", options.get("auth_opaque", "")),
            algorithms=options.get("auth_algorithms") or (),
            qop=options.get("auth_qop", ""),
            uri=options.get("auth_uri", ""),
            strict=checked_flag("auth_strict", options.get("auth_strict", False)),
            aka=options.get("auth_user2aka"),
        )

    def judge(self, request: Request, host: str, now: float) -> "str | Response":
        """Return the user that sent a request, or the final response that refuses it.

        Args:
            host: source address of the request.
            now: monotonic time in seconds.
        """
        if request.method in ("ACK", "CANCEL"):
            return ""
        try:
            verdict = self._server.verify(request, self._lookup, now, source=host)
        except USER_FAILURES as error:
            where = where_failed(error, self._given)
            place = f" at {where}" if where else ""
            text = f"the lookup of a user failed{place}; the {shown(request.method)} of {host} is refused"
            self._context.crashes.tell(text, error, where)
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
        """Return the password of a user, or its hashes by algorithm; None when there is no such user."""
        found = _ask(self._hashes, user, self._realm)
        if found is not None:
            return _by_algorithm(found)
        password = _ask(self._passwords, user)
        return None if password is None else _password(password)

    def _keys(self, user: str) -> AkaKeys | None:
        """Return the keys of a user for AKA; None when there is no such user."""
        found = _ask(self._aka, user)
        return None if found is None else _keys_of(found)


def _ask(users: Users, user: str, *more: str) -> Any:
    return users.get(user) if isinstance(users, Mapping) else ask(users, user, *more)


def _check_users(option: str, users: Users, read: Callable[[Any], object]) -> None:
    """Check the users of an option: a mapping by user with readable values, or a callback that returns at once.

    Raises:
        ConfigurationError: it is neither; a value cannot be read; the callback is a coroutine function.
    """
    if users is None:
        return
    if isinstance(users, Mapping):
        for user, given in users.items():
            if not isinstance(user, str):
                raise ConfigurationError(f"{option}: the user {said(user)} is {type(user).__name__}, not text")
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
    """Return a password; a number becomes its text.

    Raises:
        TypeError: the value is neither text nor a number.
    """
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise TypeError(f"a password is text, not {type(given).__name__}")
    return str(given)


def _by_algorithm(given: Any) -> dict[str, str]:
    """Return H(user:realm:password) by algorithm.

    Raises:
        ValueError: the value is no such hash.
    """
    if isinstance(given, Mapping):
        return {str(name): str(value).lower() for name, value in given.items()}
    text = str(given).lower()
    if len(text) not in _BY_LENGTH or not _DIGEST.fullmatch(text):
        raise ValueError("no H(user:realm:password): neither the 32 digits of MD5 nor the 64 of SHA-256")
    return {_BY_LENGTH[len(text)]: text}


def _one_of(option: str, value: object, known: tuple[str, ...]) -> str:
    """Return a value that is one of a few.

    Raises:
        ConfigurationError: it is another one.
    """
    if value not in known:
        raise ConfigurationError(f"{option} {said(value)} is not one of {', '.join(known)}")
    return str(value)


def _host_key(host: str) -> str:
    """Return a host for comparisons: lower case, an IPv6 address in its shortest form."""
    try:
        return str(ip_address(host))
    except ValueError:
        return host.lower()


def named(is_ours: Callable[[str], bool]) -> Callable[[str, Request], bool]:
    """Return the rule "named" of `URI`.

    Args:
        is_ours: whether a host, by `_host_key`, is a local one.
    """

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
    """Return user and host of a digest uri, both empty when there is none; also of SIPp's `sip:::1:5060`."""
    try:
        uri = Uri.parse(written)
    except ParseError:
        return "", _host_key(written.partition(":")[2].rpartition(":")[0])
    return uri.user or "", _host_key(uri.host)


def _passed(request: Request) -> Iterator[str]:
    """Yield the hosts that a request has passed and is to pass: a UAC may write its proxy as the target."""
    yield from (via.host for vias in _read(lambda: request.vias) for via in vias)
    for read in (lambda: request.routes, lambda: request.record_routes):
        yield from (each.uri.host for places in _read(read) for each in places)


def _read(field: Callable[[], _Field]) -> tuple[_Field, ...]:
    """Return the value of a request's field; an empty tuple when it cannot be read."""
    try:
        return (field(),)
    except ParseError:
        return ()


def _keys_of(given: Any) -> AkaKeys:
    """Return AKA keys from the values that a user gave.

    Raises:
        ConfigurationError: the values are no keys.
    """
    if isinstance(given, AkaKeys):
        return given
    try:
        return AkaKeys.of(*given)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"auth_user2aka: {error}; give (K, OP, AMF) for each user") from error


def _verifiable(passwords: Users, hashes: Users, aka: Users, offered: tuple[str, ...]) -> tuple[str, ...]:
    """Return those algorithms of the offered ones that can verify every user, else all others that can.

    Of the hashes of a callback only MD5 is expected.

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
    offers = (tuple(name for name in names if all(name in each for each in known)) for names in (offered, ALGORITHMS))
    common = next(filter(None, offers), ())
    if not common:
        raise ConfigurationError("auth_user2a1: no algorithm is there for every user")
    return (*common, *last)
