"""A registrar: judges a REGISTER, changes the bindings of its address-of-record, and writes the response.

RFC 3261 section 10.3 in its order, RFC 3327 (Path). All contacts of a request are changed, or none. It authenticates
nobody: that is done before (`filters.Authorize`), and the user's name is an argument here. A repetition of the request
that changed a binding last changes nothing and gets the same answer, so that it needs no transaction. It uses no
sockets and keeps no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

from ..errors import ParseError
from ..message.fields import NameAddr
from ..message.messages import Request, Response
from ..transaction.stateless import stateless_tag
from .checks import check_function, check_optional_function, check_tag_key
from .location import Binding, LocationStore, address_key
from .nat import Reached, is_behind

EXTENSIONS: Final = frozenset(("path",))
"""Option tags that a REGISTER may require."""
BUSY_RETRY: Final = 60
"""Seconds of Retry-After while the table is full."""


@final
@dataclass(frozen=True, slots=True)
class RegistrarSettings:
    """The policy of a registrar."""

    least: int = 60
    """Least seconds that a binding may be requested for; fewer get 423 (RFC 3261 section 21.4.17)."""
    usual: int = 3600
    """Seconds of a binding for which none are requested."""
    most: int = 7200
    """Most seconds that are granted."""
    domain_of: Callable[[str], str | None] = str.lower
    """Returns the domain that a host stands for, None for one that is not served."""
    knows: Callable[[str], bool] | None = None
    """Whether there is a user of this name; None = every user may register."""
    tag_key: bytes = b""
    """Secret of the To tags of the responses, at most 32 octets."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            TypeError: `domain_of` or `knows` is no function, or `tag_key` no octets.
            ValueError: the times do not rise, or `tag_key` is too long.
        """
        if not 0 < self.least <= self.usual <= self.most:
            raise ValueError("the times of a registrar must rise: least, usual, most")
        check_function("domain_of", self.domain_of, "a host")
        check_optional_function("knows", self.knows, "the name of a user")
        check_tag_key(self.tag_key)


class _Refused(Exception):
    """A REGISTER that changes nothing."""

    def __init__(self, status: int, *extra: tuple[str, str], reason: str | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.extra = extra
        self.reason = reason


@final
class Registrar:
    """The registrar of some domains.

    Args:
        store: holds the bindings; others may read it.
    """

    __slots__ = ("_settings", "_store")

    def __init__(self, store: LocationStore, settings: RegistrarSettings) -> None:
        self._store = store
        self._settings = settings

    def take(
        self, request: Request, now: float, *, user: str = "", date: str = "", reached: Reached | None = None
    ) -> Response:
        """Carry a REGISTER out, and return its response.

        Args:
            now: seconds of the clock by which bindings end.
            user: the name that authentication has proved; empty = nobody was asked.
            date: value of the Date header of a 200 (RFC 3261 section 20.17); empty = none.
            reached: where the request came from: a contact of another host is kept with it. None = contacts are
                reached by their URIs.
        """
        try:
            address = self._address(request, user)
            self._change(request, address, now, reached)
        except _Refused as refused:
            return self._answer(request, refused.status, refused.extra, refused.reason)
        except ParseError as error:
            reason = f"Bad Request ({error.reason})" if error.status_hint == 400 else None
            return self._answer(request, error.status_hint, reason=reason)
        bindings = self._store.in_order(address, now)
        extra = [("Contact", _written(each, now)) for each in bindings]
        if bindings and "path" in map(str.lower, request.supported):
            extra += [("Path", value) for value in request.headers.values("path")]  # RFC 3327 section 5.3
        if date:
            extra.append(("Date", date))
        return self._answer(request, 200, extra)

    # ---- RFC 3261 section 10.3, in its steps

    def _address(self, request: Request, user: str) -> str:
        """Return the address-of-record of a request: steps 1 to 5."""
        if request.method != "REGISTER":
            raise _Refused(405, ("Allow", "REGISTER"))
        if self._settings.domain_of(request.request_uri.host) is None:
            raise _Refused(404)
        if missing := [tag for tag in request.require if tag.lower() not in EXTENSIONS]:
            raise _Refused(420, ("Unsupported", ", ".join(missing)))
        wanted = request.to
        if wanted.is_wildcard or wanted.uri.scheme not in ("sip", "sips"):
            raise _Refused(404)
        domain = self._settings.domain_of(wanted.uri.host)
        name = wanted.uri.user or ""
        if domain is None or not name:
            raise _Refused(404)
        if user and user != name:
            raise _Refused(403)
        if self._settings.knows is not None and not self._settings.knows(name):
            raise _Refused(404)
        return address_key(wanted.uri, domain)

    def _change(self, request: Request, address: str, now: float, reached: Reached | None) -> None:
        """Change the bindings of an address as a request demands: steps 6 and 7."""
        contacts = request.contacts
        if "contact" in request.headers.reading.unreadable:
            raise ParseError("Contact cannot be read")
        if not contacts:
            return  # a query
        before = self._store.in_order(address, now)
        if any(each.is_wildcard for each in contacts):
            if len(contacts) > 1 or request.expires != 0:
                raise _Refused(400, reason="Bad Request (Contact * needs Expires: 0, and stands alone)")
            after = [each for each in before if self._is_repeated(each, request)]
        else:
            if len(request.vias) > 1:
                reached = None  # it came by a proxy, which is no way to the contact unless it has written Path
            after = self._merged(request, contacts, before, now, reached)
        if len(after) > self._store.most_contacts:
            raise _Refused(403, reason="Forbidden (too many contacts)")
        if after and not self._store.has_room(address):
            raise _Refused(503, ("Retry-After", str(BUSY_RETRY)))
        if tuple(after) != before:
            self._store.replace(address, after)

    def _merged(
        self,
        request: Request,
        contacts: Sequence[NameAddr],
        before: Sequence[Binding],
        now: float,
        reached: Reached | None,
    ) -> list[Binding]:
        after = list(before)
        path = tuple(str(NameAddr.parse(value)) for value in request.headers.values("path"))
        for contact in contacts:
            seconds = self._seconds(request, contact)
            at = next((index for index, each in enumerate(after) if each.uri.equivalent(contact.uri)), None)
            if at is not None:
                if after[at] in before and self._is_repeated(after[at], request):
                    continue
                del after[at]
            if seconds:
                plain = contact._replace(params={k: v for k, v in contact.params.items() if k != "expires"})
                binding = Binding(plain, now + seconds, request.call_id, request.cseq.number, path)
                if reached is not None and is_behind(contact.uri, reached.hop):
                    binding = binding._replace(source=reached.hop, flow=reached.flow)
                after.append(binding)
        return after

    def _seconds(self, request: Request, contact: NameAddr) -> int:
        """Return the seconds that are granted to a contact; 0 removes it."""
        settings = self._settings
        wanted = contact.expires
        if wanted is None:
            wanted = request.expires
        if wanted is None:
            wanted = settings.usual
        if 0 < wanted < settings.least:
            raise _Refused(423, ("Min-Expires", str(settings.least)))
        return min(wanted, settings.most)

    @staticmethod
    def _is_repeated(binding: Binding, request: Request) -> bool:
        """Whether a request is a repetition of the one that wrote a binding, so that it changes nothing.

        Raises:
            _Refused: it is older.
        """
        if binding.call_id != request.call_id or request.cseq.number > binding.cseq:
            return False
        if request.cseq.number < binding.cseq:
            raise _Refused(500, reason="Server Internal Error (CSeq is out of order)")
        return True

    def _answer(
        self, request: Request, status: int, extra: Sequence[tuple[str, str]] = (), reason: str | None = None
    ) -> Response:
        tag = stateless_tag(request, self._settings.tag_key)
        return Response.to_request(request, status, reason, to_tag=tag, extra=extra)


def _written(binding: Binding, now: float) -> str:
    """Return the Contact value of a binding, with the seconds that it still lasts."""
    return str(binding.contact._replace(params={**binding.contact.params, "expires": str(binding.remaining(now))}))
