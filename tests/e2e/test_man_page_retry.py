"""Credentials by the user's own hand, hosts without an address, calls made by hand (man page C1, C15, C30, C31)."""

import asyncio
import errno
from collections.abc import Sequence
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallEnded, CallError, CallRejected, ConfigurationError, HostUnreachable
from sipswarm.actors.handle.call import Call
from sipswarm.actors.runtime.callbacks import StopVariable
from sipswarm.sipcore.auth.digest import parse_credentials
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.workers import worker_of
from tests.e2e.agents import Peer, address_of, agent, gate, note, reply, run
from tests.e2e.waiting import until


class Guarded:
    """A called side that challenges; `open_for` names methods that it does not challenge, by how often they came."""

    def __init__(self) -> None:
        self._judge = gate()
        self.trusting = False
        self.nonces: list[str] = []
        self.peer = Peer(self._answer)

    def _answer(self, request: Request) -> Sequence[Response]:
        if request.method == "ACK":
            return []
        refusal = None if self.trusting else self._judge(request)
        if refusal is not None:
            challenge = refusal.headers.get("WWW-Authenticate") or ""
            self.nonces.append(challenge.partition('nonce="')[2].partition('"')[0])
        return [refusal or reply(request, 200, peer=self.peer)]

    def invites(self) -> list[Request]:
        return [request for request in self.peer.requests if request.method == "INVITE"]


def nonce_of(request: Request) -> str:
    """The nonce that a request answers, empty without credentials."""
    value = request.headers.get("Authorization")
    found = parse_credentials(value) if value is not None else None
    return found.nonce if found is not None else ""


@pytest.mark.parametrize("at_once", [True, False])
def test_a_challenged_call_is_sent_again_with_the_digest_for_that_nonce(at_once: bool) -> None:
    async def main() -> None:
        guarded = Guarded()
        told: list[Any] = []
        ended: list[Call] = []
        calls: list[Call] = []
        again: dict[str, Any] = {}

        def final(status: str, call: Call, info: dict[str, Any]) -> None:
            told.append((status, info.get("code"), info.get("errno")))
            if status == "FAIL":
                again.update(resp40x=info["packet"], auth=("alice", "secret"))
                if at_once:
                    call.spawn(call.reinvite(**again))

        async with agent() as alice, guarded.peer as peer:
            call = await alice.invite(
                peer.uri(), cb_final=final, cb_cleanup=lambda call: note(ended, call), sip_header={"X-Mark": "kept"}
            )
            calls.append(call)
            if not at_once:
                await call.over()
                assert (call.closed, call.is_up) == (True, False)
                await call.reinvite(**again)
            await until(lambda: len(told) == 2)
            assert told == [("FAIL", 401, errno.EPERM), ("OK", None, None)]
            first, second = guarded.invites()
            assert (nonce_of(first), nonce_of(second)) == ("", guarded.nonces[0])
            assert first.call_id == second.call_id
            assert first.from_tag == second.from_tag
            assert second.cseq.number == first.cseq.number + 1
            assert second.headers.get("X-Mark") == "kept"
            assert [call.is_up, call.error] == [True, None]
            await call.bye()  # with the same credentials
            await call.over()
            assert (call.cause, worker_of(alice).live_calls) == ("bye", 0)

    asyncio.run(main())


def test_credentials_that_do_not_fit_are_refused_and_wrong_ones_fail_again() -> None:
    async def main() -> None:
        guarded = Guarded()
        failed: list[Any] = []
        async with agent() as alice, guarded.peer as peer:
            call = await alice.invite(peer.uri(), cb_final=lambda status, call, info: note(failed, info))
            await until(lambda: failed)
            packet = failed[0]["packet"]
            with pytest.raises(ConfigurationError, match="auth"):
                await call.reinvite(resp40x=packet)
            with pytest.raises(ConfigurationError, match="realm"):
                await call.reinvite(resp40x=packet, auth={"elsewhere": ("a", "b")})
            with pytest.raises(CallRejected) as refused:
                await call.reinvite(resp40x=packet, auth=("alice", "wrong"), cb_final=None)
            assert refused.value.status == 401
            assert refused.value.response is not None
            assert len(guarded.invites()) == 2
            await call.reinvite(resp40x=refused.value.response, auth=("alice", "secret"))
            assert call.is_up
            await call.bye()

    asyncio.run(main())


def test_a_challenged_reinvite_is_sent_again_within_the_call() -> None:
    async def main() -> None:
        guarded = Guarded()
        guarded.trusting = True
        async with agent() as alice, guarded.peer as peer:
            call = await alice.invite(peer.uri())
            guarded.trusting = False
            with pytest.raises(CallRejected) as refused:
                await call.reinvite()
            assert call.is_up
            await call.reinvite(resp40x=refused.value.response, auth=("alice", "secret"))
            assert [nonce_of(each) for each in guarded.invites()] == ["", "", guarded.nonces[0]]
            await call.bye()

    asyncio.run(main())


def test_a_call_that_ended_otherwise_is_not_taken_up_again() -> None:
    async def main() -> None:
        guarded = Guarded()
        async with agent(auth=("alice", "secret")) as alice, guarded.peer as peer:
            call = await alice.invite(peer.uri())  # credentials given beforehand are used without a word
            await call.bye()
            challenge = reply(guarded.invites()[0], 401, ("WWW-Authenticate", 'Digest realm="test", nonce="n"'))
            with pytest.raises(CallEnded):
                await call.reinvite(resp40x=challenge, auth=("alice", "secret"))

    asyncio.run(main())


def test_a_host_without_an_address_is_told_as_fail_at_once_or_raised() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        told: list[Any] = []
        loop = asyncio.get_running_loop()
        began = loop.time()
        call = await alice.invite(
            "sip:bob@nobody.invalid",
            cb_final=lambda status, call, info: note(told, (status, info)),
            ring_time=5,
            cb_noanswer=lambda *arguments: note(told, "cb_noanswer"),
        )
        await call.over()
        assert told == [("FAIL", {"errno": errno.EHOSTUNREACH})]
        assert loop.time() - began < 4.0, "before the ring time"
        assert isinstance(call.error, CallError)
        with pytest.raises(HostUnreachable, match=r"nobody\.invalid"):
            await alice.invite("sip:bob@nobody.invalid")
        with pytest.raises(HostUnreachable):
            await alice.register("sip:nobody.invalid")
        await alice.register("sip:nobody.invalid", cb_final=lambda *arguments: note(told, arguments))
        await until(lambda: told[1:] == [("FAIL", {"errno": errno.EHOSTUNREACH}, None)])

    run(scenario)


def test_a_call_made_by_hand_is_placed_by_its_first_reinvite() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        seen: list[Request] = []
        bob.listen(cb_invite=lambda call, request: note(seen, request))
        callid = alice.new_call_id()
        contexts: list[str | dict[str, Any]] = [
            address_of(bob),
            {"to": address_of(bob), "from": "<sip:carol@home.test>", "callid": callid},
        ]
        for context in contexts:
            call = Call(alice, context, colour="red", sip_header={"X-Mark": "one"})
            assert (call.get_param("colour"), call.is_up, call.get_peer()) == ("red", False, f"<{address_of(bob)}>")
            number = call.callid
            more: dict[str, Any] = {"size": 3}
            assert await call.reinvite(**more) is call
            assert (call.is_up, call.callid, call.get_param("colour", "size")) == (True, number, ["red", 3])
            assert seen[-1].headers.get("X-Mark") == "one"
            assert seen[-1].call_id == number
            assert Call(alice, call, colour="blue") is call
            assert call.get_param("colour", "size") == ["blue", 3]
            await call.reinvite()
            assert [request.cseq.number for request in seen if request.call_id == number] == [1, 2]
            await call.bye()
        assert seen[-1].call_id == callid
        assert str(seen[-1].from_.uri) == "sip:carol@home.test"
        unused = Call(alice, address_of(bob), cb_final=StopVariable())
        await unused.bye()
        assert worker_of(alice).live_calls == 0

    run(scenario)


def test_a_call_made_by_hand_with_cb_final_is_told_its_result() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(cb_invite=lambda call, request: Response.to_request(request, 486))
        told = StopVariable()
        call = Call(alice, address_of(bob), cb_final=told)
        await call.reinvite()
        await until(lambda: told.value == "FAIL")
        assert isinstance(call.error, CallRejected)
        with pytest.raises(ConfigurationError, match="context"):
            Call(alice, {"to": address_of(bob), "color": 1})

    run(scenario)
