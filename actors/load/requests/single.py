"""The arrivals of a load that are one request each: OPTIONS (RFC 3261 section 11) or MESSAGE (RFC 3428).

An arrival is over with its final response, or after `--timeout`. The requests are those of `requests.keeper`: they take
a place among the calls of the worker, and are answered to challenges by the credentials of the arrival.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from sipswarm.sipcore.transaction.client_exchange import Finished, Way
from sipswarm.sipcore.usage.standalone_request import WITHOUT_CONTACT, RequestSettings

from ...config import LoadConfig
from ...requests.keeper import Requests
from ...requests.request_actor import RequestActor
from ..starter import Ended, Starter
from .ends import Begun, RequestEnds, Result, Shown
from .parties import Party
from .route import Route

SINGLE: Final = ("options", "message")
"""Methods of which an arrival is one request."""


class _Open(NamedTuple):
    """An arrival without its final response."""

    begun: Begun
    credentials: Shown
    ended: Ended


def settings_of(config: LoadConfig, party: Party, way: Way, *, proxied: bool, credentials: Shown) -> RequestSettings:
    """Return what is sent for an arrival.

    Args:
        proxied: the way leads to an outgoing proxy.
    """
    method = config.method.upper()
    accept = (("Accept", "application/sdp"),) if method == "OPTIONS" else ()  # RFC 3261 section 11.1
    body = party.body if method == "MESSAGE" else ""
    return RequestSettings(
        method,
        party.target,
        party.identity.from_,
        (way,),
        headers=(*accept, *party.identity.headers),
        body=body.encode("utf-8", "surrogateescape"),
        content_type=config.content_type if body else "",
        timeout=config.timeout,
        credentials=credentials,
        user_agent="sipswarm",
        proxied=proxied,
    )


class SingleRequests(Starter):
    """The single requests of one call worker.

    Args:
        ends: takes those that are over.
        is_draining: whether the run comes to its end.
    """

    places_calls = False

    def __init__(
        self,
        config: LoadConfig,
        route: Route,
        requests: Requests,
        ends: RequestEnds,
        *,
        is_draining: Callable[[], bool],
    ) -> None:
        self.label = config.method
        self._config = config
        self._route = route
        self._parties = route.parties()
        self._requests = requests
        self._ends = ends
        self._is_draining = is_draining
        self._with_contact = config.method.upper() not in WITHOUT_CONTACT
        self._open: dict[RequestActor, _Open] = {}

    def begin(self, index: int, planned: float, ended: Ended) -> bool:
        """Send a request."""
        route, party = self._route, self._parties.of(index)
        credentials = Shown(party.identity.credentials)
        way = route.way(party.identity.from_, with_contact=self._with_contact)
        settings = settings_of(self._config, party, way, proxied=route.proxied, credentials=credentials)
        actor = self._requests.send(settings, route.peer, self._over)
        self._open[actor] = _Open(self._ends.began(actor.key[0], planned, index, party.line), credentials, ended)
        return True

    @property
    def running(self) -> int:
        """Number of requests without a final response."""
        return len(self._open)

    def _over(self, actor: RequestActor, finished: Finished | None) -> None:
        begun, credentials, ended = self._open.pop(actor)
        if finished is None:
            result = Result.given_up(drained=self._is_draining())
        elif finished.response is not None:
            result = Result.of(finished.response, credentials)
        else:
            result = Result.without_response(finished.status, actor.loss)
        self._ends.over(begun, result, closed="confirmed")
        ended(False)
