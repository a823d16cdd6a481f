"""Calls that are sent elsewhere by a 3xx: refused unless the user agent follows, and then bounded (CALL.md W11)."""

import asyncio
import socket
from collections.abc import Sequence

import pytest

from sipswarm.actors.errors import CallRejected
from sipswarm.sipcore.message.messages import Request, Response

from .agents import Peer, agent, reply
from .test_lost_answers import closed_port


@pytest.mark.parametrize(
    ("redirects", "called", "status"),
    [
        pytest.param(0, ["peer"], 302, id="off"),
        pytest.param(1, ["peer", "best"], 302, id="one-is-not-enough"),
        pytest.param(5, ["peer", "best", "last"], 200, id="followed-by-q-and-never-twice"),
    ],
)
def test_a_redirect_is_followed_as_often_as_the_user_agent_may(redirects: int, called: list[str], status: int) -> None:
    peer: Peer

    def answer(request: Request) -> Sequence[Response]:
        if request.method != "INVITE":
            return [] if request.method == "ACK" else [reply(request, 200)]
        user = request.request_uri.user
        if user == "last":
            return [reply(request, 200, peer=peer)]
        # Back to itself first, then the better of two; a caller that chases them all never comes to "last".
        targets = f"<{peer.uri('peer')}>, <{peer.uri('worse')}>;q=0.2, <{peer.uri('best')}>;q=0.9"
        return [reply(request, 302, ("Contact", targets if user == "peer" else f"<{peer.uri('last')}>"))]

    async def main() -> None:
        nonlocal peer
        async with asyncio.timeout(20), agent(redirects=redirects) as alice, Peer(answer) as peer:
            if status == 200:
                call = await alice.invite(peer.uri(), media="none")
                await call.bye()
            else:
                with pytest.raises(CallRejected) as refused:
                    await alice.invite(peer.uri(), media="none")
                assert refused.value.status == status
            users = [request.request_uri.user for request in peer.requests if request.method == "INVITE"]
            assert users == called

    asyncio.run(main())


def invited(peer: Peer) -> list[str]:
    """Who was called, in order."""
    return [request.request_uri.user or "" for request in peer.requests if request.method == "INVITE"]


THREE = "<{0}>;q=0.3, <{1}>;q=0.7, <{2}>;q=0.3"


@pytest.mark.parametrize("rings", [False, True], ids=["at once", "after 180"])
@pytest.mark.parametrize(
    ("status", "called"),
    [
        *((status, ["peer", "b", "a", "c"]) for status in (400, 401, 404, 407, 408, 480, 486, 488, 500, 503, 599)),
        *((status, ["peer", "b"]) for status in (600, 603, 606)),
        (302, ["peer", "b", "a", "c"]),
        (380, ["peer", "b", "a", "c"]),
    ],
)
def test_the_next_target_is_called_when_one_fails(status: int, called: list[str], rings: bool) -> None:
    """RFC 3261 8.1.3.4: by q, then in their order; 6xx speaks for all (16.7)."""

    def answer(request: Request) -> Sequence[Response]:
        if request.method != "INVITE":
            return [] if request.method == "ACK" else [reply(request, 200)]
        user = request.request_uri.user
        if user == "peer":
            return [reply(request, 302, ("Contact", THREE.format(*map(peer.uri, "abc"))))]
        final = reply(request, 200, peer=peer) if user == "c" else reply(request, status)
        return [Response.to_request(request, 180, to_tag="peer"), final] if rings else [final]

    peer = Peer(answer)

    async def main() -> None:
        async with asyncio.timeout(20), agent(redirects=3) as alice, peer:
            if called[-1] == "c":
                call = await alice.invite(peer.uri(), media="none")
                await call.bye()
            else:
                with pytest.raises(CallRejected, match=str(status)):
                    await alice.invite(peer.uri(), media="none")
        assert invited(peer) == called

    asyncio.run(main())


@pytest.mark.parametrize("redirects", [1, 2, 3])
def test_no_more_targets_are_called_than_the_user_agent_may(redirects: int) -> None:
    def answer(request: Request) -> Sequence[Response]:
        if request.method != "INVITE":
            return [] if request.method == "ACK" else [reply(request, 200)]
        contacts = THREE.format(*map(peer.uri, "abc"))
        redirected = request.request_uri.user == "peer"
        return [reply(request, 302, ("Contact", contacts)) if redirected else reply(request, 486)]

    peer = Peer(answer)

    async def main() -> None:
        async with asyncio.timeout(20), agent(redirects=redirects) as alice, peer:
            with pytest.raises(CallRejected, match="486"):
                await alice.invite(peer.uri(), media="none")
        assert invited(peer) == ["peer", "b", "a", "c"][: 1 + redirects]

    asyncio.run(main())


@pytest.mark.parametrize("dead", ["refused port", "no such name", "no listener", "refused connection"])
def test_the_next_target_is_called_when_one_cannot_be_reached(dead: str) -> None:
    def answer(request: Request) -> Sequence[Response]:
        if request.method != "INVITE":
            return [] if request.method == "ACK" else [reply(request, 200)]
        if request.request_uri.user == "a":
            return [reply(request, 200, peer=peer)]
        first = {
            "refused port": f"sip:b@127.0.0.1:{closed_port(socket.SOCK_DGRAM)}",
            "no such name": "sip:b@nosuch.invalid",
            "no listener": "sip:b@[::1]:9",
            "refused connection": f"sip:b@127.0.0.1:{closed_port(socket.SOCK_STREAM)};transport=tcp",
        }[dead]
        return [reply(request, 302, ("Contact", f"<{first}>, <{peer.uri('a')}>;q=0.5"))]

    peer = Peer(answer)

    async def main() -> None:
        legs = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0")
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1", *legs, redirects=3) as alice, peer:
            call = await alice.invite(peer.uri(), media="none")
            await call.bye()
        assert invited(peer) == ["peer", "a"]

    asyncio.run(main())


def test_a_cancelled_call_calls_no_further_target() -> None:
    def answer(request: Request) -> Sequence[Response]:
        if request.method == "INVITE" and request.request_uri.user == "peer":
            return [reply(request, 302, ("Contact", THREE.format(*map(peer.uri, "abc"))))]
        if request.method == "CANCEL":
            return [reply(request, 200), reply(peer.requests[-2], 487)]
        return [reply(request, 180)] if request.method == "INVITE" else []

    peer = Peer(answer)

    async def main() -> None:
        async with asyncio.timeout(20), agent(redirects=3) as alice, peer:
            ringing = asyncio.Event()
            call = await alice.invite(peer.uri(), cb_final=(), cb_preliminary=lambda *_: ringing.set())
            await ringing.wait()
            call.hang_up()
            await call.over()
        assert invited(peer) == ["peer", "b"]

    asyncio.run(main())


def test_headers_in_a_target_go_into_its_request_alone() -> None:
    """RFC 3261 8.1.3.4: overwriting those of the redirected request, as far as 19.1.5 lets them."""
    wanted = "?Subject=new%20one&X-Foo=bar&Replaces=abc%3Bto-tag%3D1%3Bfrom-tag%3D2&s=twice&body=x"
    forged = "&Via=x&v=x&From=%3Csip:x@y%3E&Call-ID=x&CSeq=1&Route=%3Csip:x@y%3E&Record-Route=x&Contact=x"
    forged += "&X-Bad=a%0D%0AEvil:1"

    def answer(request: Request) -> Sequence[Response]:
        if request.method != "INVITE":
            return [] if request.method == "ACK" else [reply(request, 200)]
        if request.request_uri.user == "peer":
            targets = f"<{peer.uri('a')}{wanted}{forged}>, <{peer.uri('b')}>;q=0.5"
            return [reply(request, 302, ("Contact", targets))]
        return [reply(request, 486) if request.request_uri.user == "a" else reply(request, 200, peer=peer)]

    peer = Peer(answer)

    async def main() -> None:
        async with asyncio.timeout(20), agent(redirects=3) as alice, peer:
            call = await alice.invite(
                peer.uri(), media="none", sip_header=[("Subject", "old"), ("X-Own", "1"), ("X-Foo", "mine")]
            )
            await call.bye()
        first, to_a, to_b = (request for request in peer.requests if request.method == "INVITE")
        for request in (first, to_b):
            assert request.headers.get_all("Subject") == ["old"]
            assert request.headers.get_all("X-Foo") == ["mine"]
            assert request.headers.get_all("Replaces") == []
        assert str(to_a.request_uri) == peer.uri("a")
        assert to_a.headers.get_all("Subject") == ["new one"]
        assert to_a.headers.get_all("X-Foo") == ["bar"]
        assert to_a.headers.get_all("Replaces") == ["abc;to-tag=1;from-tag=2"]
        assert to_a.headers.get_all("X-Own") == ["1"]
        for name in ("From", "Call-ID", "Contact"):
            assert to_a.headers.get_all(name) == first.headers.get_all(name)
        for name in ("Route", "Record-Route", "X-Bad", "Evil", "Body"):
            assert to_a.headers.get_all(name) == []
        assert len(to_a.vias) == 1
        assert to_a.body == first.body

    asyncio.run(main())


@pytest.mark.parametrize("status", [301, 302, 305])
@pytest.mark.parametrize("redirects", [0, 3])
def test_a_register_follows_a_3xx_where_the_user_agent_may(status: int, redirects: int) -> None:
    def send_elsewhere(request: Request) -> Sequence[Response]:
        return [reply(request, status, ("Contact", f"<{other.uri()}>"))]

    def take(request: Request) -> Sequence[Response]:
        return [reply(request, 200, ("Contact", f"{request.contacts[0]};expires=60"))]

    other = Peer(take)

    async def main() -> None:
        async with asyncio.timeout(20), Peer(send_elsewhere) as peer, other:
            async with agent("sip:alice@home.test", redirects=redirects) as alice:
                if redirects:
                    assert await alice.register(peer.uri("").replace("@", "")) == 60
                    assert await alice.register(peer.uri("").replace("@", ""), expires=0) == 0
                else:
                    with pytest.raises(CallRejected) as refused:
                        await alice.register(peer.uri("").replace("@", ""), refresh=False)
                    assert refused.value.status == status
            assert len(peer.requests) == 1
            assert other.methods() == (["REGISTER"] * 2 if redirects else [])
            if redirects:
                assert other.requests[0].to.uri.host == "home.test"
                home, target = f"sip:127.0.0.1:{peer.port}", f"sip:127.0.0.1:{other.port}"
                assert {request.uri for request in other.requests} == {home if status == 305 else target}

    asyncio.run(main())
