"""The registration of a probe: a contact is bound, looked for in the answer to a question, and removed.

RFC 3261 section 10.2. The contact has a user of its own, by which it is found among those of other phones, also where
the registrar writes another host into it. A contact that was bound and not removed here is removed by the end of the
user agent.
"""

import asyncio
import errno
import secrets
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.uri import Uri

from ..agent.user_agent import UserAgent
from ..errors import CallRejected, CallTimeout, ConfigurationError
from ..identity import contact_at
from .module import ProbeChecks
from .report import Failure, ProbeFailed, ProbeReport
from .sending import FirstResponse, judge_status

EXPIRES: Final = 300
"""Seconds to request: longer than a probe may take, and over soon where the removal is lost."""


class Registrant(NamedTuple):
    """Who is registered, and where, as SIP URIs."""

    address: str
    registrar: str

    @classmethod
    def of(cls, target: str, from_: str) -> "Registrant":
        """Return them for a target.

        Args:
            target: SIP URI: the registrar, and the user who is registered there unless `from_` names one.
            from_: SIP URI; empty = that of the target.

        Raises:
            ConfigurationError: nobody is named, or two are.
        """
        uri = Uri.parse(target)
        if uri.user and from_:
            raise ConfigurationError(f"the target names the user {uri.user!r}, and --from {from_!r}; give one of them")
        if not uri.user and not from_:
            raise ConfigurationError(
                "nobody is named who is to be registered; write sip:USER@REGISTRAR, or give --from"
            )
        address = from_ or str(Uri(uri.scheme, uri.user, uri.host, uri.port, {}))
        return cls(address, str(Uri(uri.scheme, None, uri.host, uri.port, uri.params)))


class ProbeRegistration:
    """The registration of a probe.

    Args:
        agent: a running user agent of the address, whose requests go to the registrar.
        seen: the local address that the registrar sees.
        first: when a challenge came; None without credentials.
    """

    def __init__(
        self,
        agent: UserAgent,
        who: Registrant,
        seen: Hop,
        checks: ProbeChecks,
        first: FirstResponse | None,
        report: ProbeReport,
    ) -> None:
        self._agent = agent
        self._who = who
        self._user = f"sipswarm-{secrets.token_hex(8)}"
        self._contact = contact_at(self._user, seen)
        self._checks = checks
        self._first = first
        self._report = report

    async def run(self) -> None:
        """Bind the contact, look for it, and remove it.

        Raises:
            ProbeFailed: a step was not as expected.
        """
        if await self._bind():
            await self._ask()
            await self._remove()

    async def _bind(self) -> bool:
        """Register; False = the registrar refused as expected."""
        report, first = self._report, self._first
        report.waits(f"a final response to REGISTER {self._who.registrar}", Failure.TIMEOUT)
        report.note(f"REGISTER {self._who.registrar}")
        before = report.elapsed
        response = await self._register(EXPIRES, Failure.TIMEOUT)
        came = report.elapsed
        challenged = first.at if first is not None and first.at else came
        report.took("first_response", challenged - before)
        report.took("answer", came - challenged)
        given = first is not None and bool(first.at)
        judge_status(response.status, response.reason, self._checks.expect_code, report, credentials_given=given)
        return response.status < 300

    async def _ask(self) -> None:
        """Ask for the contacts by a REGISTER without one (RFC 3261 section 10.2.3)."""
        report = self._report
        what = f"the contacts of {self._who.address}"
        report.waits(f"the answer to the question for {what}", Failure.BINDING)
        before = report.elapsed
        try:
            response = await self._agent.request("REGISTER", self._who.address)
        except CallRejected as error:
            raise ProbeFailed(Failure.BINDING, f"{error} to the question for {what}") from error
        except CallTimeout as error:
            raise ProbeFailed(Failure.BINDING, str(error)) from error
        report.took("bindings", report.elapsed - before)
        users = contact_users(response)
        report.note(f"contacts: {len(users)}")
        if self._user not in users:
            raise ProbeFailed(Failure.BINDING, f"the registrar answered, and has not the new one among {what}")

    async def _remove(self) -> None:
        report = self._report
        report.waits("the response to the removal", Failure.END)
        before = report.elapsed
        response = await self._register(0, Failure.END)
        report.took("end", report.elapsed - before)
        if response.status >= 300:
            raise ProbeFailed(Failure.END, f"{response.status} {response.reason} to the removal")
        report.note("removed")
        if self._user in contact_users(response):
            raise ProbeFailed(Failure.BINDING, "the registrar has the contact after its removal")

    async def _register(self, expires: int, silence: Failure) -> Response:
        """Return the final response to a REGISTER.

        Args:
            expires: seconds to request; 0 removes the contact.
            silence: the failure that it is when none comes.

        Raises:
            ProbeFailed: none came, or it could not be sent.
        """
        done: asyncio.Future[tuple[Any, Response | None]] = asyncio.get_running_loop().create_future()

        def final(status: str, result: Any, response: Response | None) -> None:
            if not done.done():
                done.set_result((result, response))

        await self._agent.register(self._who.registrar, contact=self._contact, expires=expires, cb_final=final)
        result, response = await done
        if response is not None:
            return response
        number = result.get("errno") if isinstance(result, Mapping) else None
        if number == errno.ETIMEDOUT:
            raise ProbeFailed(silence, f"the registrar {self._who.registrar} did not answer")
        raise ProbeFailed(Failure.CONNECT, f"the REGISTER could not be sent to {self._who.registrar}")


def contact_users(response: Response) -> set[str]:
    """Return the user parts of the contacts in a response; one that cannot be read has none."""
    try:
        return {each.uri.user or "" for each in response.contacts if not each.is_wildcard}
    except ParseError:
        return set()
