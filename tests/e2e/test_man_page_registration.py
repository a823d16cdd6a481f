"""Registration and authentication of the man page's agent, against a registrar and a called side made of sipcore."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from sipswarm.actors.errors import CallRejected, ConfigurationError
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import Peer, agent, gate, note, reply
from tests.e2e.waiting import until


class Registrar:
    """Answers REGISTER with the right password by 200 and at most so many seconds."""

    def __init__(self, most: int = 600, refuses: int = 0) -> None:
        self._judge = gate()
        self._most = most
        self._refuses = refuses
        self.granted: list[int] = []

    def __call__(self, request: Request) -> Sequence[Response]:
        challenge = self._judge(request)
        if challenge is not None:
            return [challenge]
        if self._refuses:
            return [reply(request, self._refuses)]
        contact = request.contacts[0]
        asked = int(contact.params.get("expires") or request.expires or 0)
        seconds = min(self._most, asked)
        self.granted.append(seconds)
        bound = [("Contact", f"<{contact.uri}>;expires={seconds}")] if seconds else []
        return [reply(request, 200, *bound)]


@pytest.mark.parametrize("blank", ["\t", " \t", "  "])
def test_a_challenge_with_another_blank_behind_its_scheme_is_answered(blank: str) -> None:
    registrar = Registrar()

    def answer(request: Request) -> Sequence[Response]:
        (response,) = registrar(request)
        challenge = response.headers.get("WWW-Authenticate")
        if challenge is not None:
            response.headers.set("WWW-Authenticate", challenge.replace("Digest ", f"Digest{blank}", 1))
        return [response]

    async def main() -> None:
        async with agent(auth=("alice", "secret"), redirects=1) as alice, Peer(answer) as peer:
            assert await alice.register(peer.uri(), expires=60) == 60

    asyncio.run(main())


def test_a_challenged_registration_is_granted_what_the_registrar_says_and_taken_back() -> None:
    async def main() -> None:
        registrar = Registrar(most=600)
        async with agent(auth=("alice", "secret")) as alice, Peer(registrar) as peer:
            told: list[Any] = []
            await alice.register(
                peer.uri(), expires=900, X_Site="home", cb_final=lambda *arguments: note(told, arguments[:2])
            )
            await until(lambda: told == [("OK", 600)])
            first, second = peer.requests
            assert first.headers.get("Authorization") is None
            assert second.headers.get("Authorization") is not None
            assert second.cseq.number == first.cseq.number + 1
            assert second.headers.get("X-Site") == "home"
            assert second.contacts[0].uri.port == alice.legs[0].port
            assert await alice.register(peer.uri(), expires=0) == 0
            assert registrar.granted == [600, 0]

    asyncio.run(main())


def test_a_refused_registration_raises_and_tells_fail_with_the_code() -> None:
    async def main() -> None:
        async with agent(auth=("alice", "secret")) as alice, Peer(Registrar(refuses=403)) as peer:
            told: list[Any] = []
            with pytest.raises(CallRejected) as refused:
                await alice.register(peer.uri())
            assert refused.value.status == 403
            assert await alice.register(peer.uri(), cb_final=lambda *arguments: note(told, arguments[:2])) == 0
            await until(lambda: told == [("FAIL", {"code": 403})])
        async with agent(auth=("alice", "wrong")) as alice, Peer(Registrar()) as peer:
            with pytest.raises(CallRejected) as refused:
                await alice.register(peer.uri())
            assert refused.value.status == 401
        async with agent() as alice:
            with pytest.raises(ConfigurationError, match="registrar"):
                await alice.register()

    asyncio.run(main())


def test_a_registration_is_refreshed_before_it_ends() -> None:
    async def main() -> None:
        registrar = Registrar(most=2)
        async with agent(auth=("alice", "secret")) as alice, Peer(registrar) as peer:
            assert await alice.register(peer.uri(), refresh=True) == 2
            await until(lambda: len(registrar.granted) >= 2)

    asyncio.run(main())


def test_invite_reinvite_and_bye_are_all_challenged_and_all_succeed() -> None:
    async def main() -> None:
        judge = gate()
        accepted: list[str] = []

        def answer(request: Request) -> Sequence[Response]:
            if request.method == "ACK":
                return []
            challenge = judge(request)
            if challenge is not None:
                return [challenge]
            accepted.append(request.method)
            return [reply(request, 200, peer=peer)]

        async with agent(auth={"test": ("alice", "secret"), "other": ("x", "y")}) as alice, Peer(answer) as peer:
            finals: list[str] = []
            call = await alice.invite(peer.uri(), sip_header={"X-Mark": "kept"})
            await call.reinvite(cb_final=lambda status, call, info: note(finals, status))
            await until(lambda: finals == ["OK"])  # the challenge is hidden
            await call.bye()
            assert accepted == ["INVITE", "INVITE", "BYE"]
            invites = [request for request in peer.requests if request.method == "INVITE"]
            assert all(request.headers.get("X-Mark") == "kept" for request in invites)
            rest = [request for request in peer.requests if request.method in ("ACK", "BYE")]
            assert all("X-Mark" not in request.headers for request in rest)

    asyncio.run(main())


def test_credentials_may_come_from_a_function_that_is_asked_only_when_challenged() -> None:
    async def main() -> None:
        judge = gate()
        asked: list[str] = []

        def auth(realm: str) -> tuple[str, str] | None:
            asked.append(realm)
            return ("alice", "secret") if realm == "test" else None

        def answer(request: Request) -> Sequence[Response]:
            if request.method == "ACK":
                return []
            challenge = judge(request) if "open" not in str(request.to.uri) else None
            return [challenge or reply(request, 200, peer=peer)]

        async with agent(auth=auth) as alice, Peer(answer) as peer:
            await (await alice.invite(peer.uri("open"))).bye()
            assert asked == []
            await (await alice.invite(peer.uri())).bye()
            assert set(asked) == {"test"}

    asyncio.run(main())


def test_a_context_or_a_call_brings_its_own_credentials() -> None:
    async def main() -> None:
        judge = gate(user="carol")

        def answer(request: Request) -> Sequence[Response]:
            return [] if request.method == "ACK" else [judge(request) or reply(request, 200, peer=peer)]

        async with agent() as alice, Peer(answer) as peer:
            await (await alice.invite({"to": peer.uri(), "auth": ("carol", "secret")})).bye()
            await (await alice.invite(peer.uri(), auth={"test": ("carol", "secret")})).bye()

    asyncio.run(main())
