"""Callers of a user agent that listens with `auth_*`: our own, and one made of sipcore that plays false."""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import md5, sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected, ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.runtime.callbacks import StopVariable
from sipswarm.sipcore.auth.digest import DigestClient, response_hash
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from tests.actors.workers import worker_of
from tests.e2e.agents import SDP, Peer, address_of, agent, note, reply
from tests.e2e.test_command_line import Running, scraped
from tests.e2e.waiting import until
from tests.sipcore.accounts import Account, Accounts

REALM = "test"
BOBS = {"bob": "secret"}


def ha1(algorithm: Any) -> str:
    """H(user:realm:password) of bob."""
    return str(algorithm(f"bob:{REALM}:secret".encode()).hexdigest())


def looked_up(fails: bool) -> Callable[[str], str | None]:
    def password(user: str) -> str | None:
        if fails:
            raise OSError("the data base is gone")
        return BOBS.get(user)

    return password


class Caller(asyncio.DatagramProtocol):
    """One dialog by hand over UDP; what it sends is what the test says."""

    def __init__(self, ua: UserAgent, password: str = "secret") -> None:
        self.uri = address_of(ua)
        self._to = ("127.0.0.1", ua.legs[0].port)
        self._tokens = Tokens(lambda count: bytes(range(count % 256)) + bytes(count - count % 256))
        self.digest = DigestClient(Accounts([Account("bob", password, REALM, "here")]), self._tokens)
        self.responses: list[Response] = []
        self.remote_tag = ""
        self.sent = b""

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Part of asyncio's protocol."""
        message = parse(data)
        if isinstance(message, Response):
            self.responses.append(message)

    def send(
        self,
        method: str,
        cseq: int,
        *,
        credentials: Sequence[tuple[str, str]] = (),
        branch: str = "",
        body: str = "",
        via: str = "",
    ) -> None:
        """Send a request; unless `via` says host and port, the top Via names a wrong port and answers need `rport`."""
        tag = f";tag={self.remote_tag}" if self.remote_tag else ""
        headers = [
            f"Via: SIP/2.0/UDP {via or '127.0.0.1:9;rport'};branch=z9hG4bK{branch or f'{cseq}{method}'}",
            "Max-Forwards: 70",
            "From: <sip:bob@127.0.0.1>;tag=caller",
            f"To: <{self.uri}>{tag}",
            f"Call-ID: by-hand-{self.port}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:bob@127.0.0.1:{self.port}>",
            *(f"{name}: {value}" for name, value in credentials),
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self.sent = "\r\n".join((f"{method} {self.uri} SIP/2.0", *headers, "", body)).encode()
        self._transport.sendto(self.sent, self._to)

    def repeat(self) -> None:
        """Send the same octets again."""
        self._transport.sendto(self.sent, self._to)

    async def final(self, cseq: int, method: str, number: int = 1) -> Response:
        """The final response to a request, or the nth of them."""

        def finals() -> list[Response]:
            return [
                each
                for each in self.responses
                if each.status >= 200 and (each.cseq.number, each.cseq.method) == (cseq, method)
            ]

        await until(lambda: len(finals()) >= number)
        return finals()[number - 1]

    def credentials(self, challenge: Response, method: str) -> list[tuple[str, str]]:
        """The answer to a challenge."""
        found = self.digest.answer(challenge, method=method, uri=self.uri, host="here")
        assert found is not None
        return found

    async def establish(self) -> list[tuple[str, str]]:
        """Challenged INVITE, INVITE with credentials, ACK; the credentials it took."""
        self.send("INVITE", 1, body=SDP.format(port=9))
        challenge = await self.final(1, "INVITE")
        assert challenge.status == 401
        self.send("ACK", 1, branch="1INVITE")
        used = self.credentials(challenge, "INVITE")
        self.send("INVITE", 2, credentials=used, body=SDP.format(port=9))
        answer = await self.final(2, "INVITE")
        assert answer.status == 200
        self.remote_tag = answer.to_tag or ""
        self.send("ACK", 2, branch="ack")
        return used


def played(scenario: Callable[[UserAgent, Caller], Any], password: str = "secret", **options: Any) -> UserAgent:
    """Run a scenario with a listening user agent and a caller by hand."""

    async def main() -> UserAgent:
        async with asyncio.timeout(40), agent("sip:alice@127.0.0.1") as alice:
            alice.listen(auth_realm=REALM, **{"auth_user2pass": BOBS, **options})
            async with Caller(alice, password) as caller:
                await scenario(alice, caller)
            return alice

    return asyncio.run(main())


def refused(ua: UserAgent, reason: str) -> float:
    """How often this reason was counted."""
    return ua._node.totals.cell("sipswarm_sip_refused_total", reason).value


@pytest.mark.parametrize(
    ("options", "algorithm"),
    [
        pytest.param({"auth_user2pass": BOBS}, "MD5", id="a mapping"),
        pytest.param({"auth_user2pass": looked_up(False)}, "MD5", id="a function"),
        pytest.param(
            {"auth_user2pass": (BOBS.get,), "auth_strict": True}, "SHA-256", id="a callback with arguments of its own"
        ),
        pytest.param({"auth_user2pass": BOBS, "auth_algorithms": ["SHA-512-256"]}, "SHA-512-256", id="chosen"),
        pytest.param({"auth_user2pass": BOBS, "auth_algorithms": "sha-256"}, "SHA-256", id="one, in any case"),
        pytest.param({"auth_user2a1": {"bob": ha1(md5)}}, "MD5", id="hashes of MD5"),
        pytest.param({"auth_user2a1": {"bob": ha1(sha256)}}, "SHA-256", id="hashes of SHA-256"),
        pytest.param({"auth_user2a1": lambda user, realm: ha1(md5)}, "MD5", id="hashes of a function"),
        pytest.param(
            {"auth_user2a1": {"bob": {"MD5": ha1(md5), "SHA-256": ha1(sha256)}, "eve": {"SHA-256": "0" * 64}}},
            "SHA-256",
            id="what every user has",
        ),
        pytest.param(
            {"auth_user2a1": {"eve": {"MD5": "0" * 32, "SHA-256": "0" * 64}}, "auth_user2pass": BOBS},
            "MD5",
            id="hashes, then passwords",
        ),
    ],
)
def test_a_caller_with_the_right_password_is_let_in(options: dict[str, Any], algorithm: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(40), agent() as alice, agent("sip:b@127.0.0.1", auth=("bob", "secret")) as bob:
            users: list[Any] = []
            credentials: list[str | None] = []
            established: list[str] = []
            ended = StopVariable()
            alice.listen(
                auth_realm=REALM,
                auth_opaque='a "b"',
                cb_create=lambda call, request: (
                    note(users, call.get_param("auth_user")) and note(credentials, request.headers.get("Authorization"))
                ),
                cb_established=lambda status, call: note(established, status),
                recv_bye=ended,
                **options,
            )
            call = await bob.invite(address_of(alice))
            await call.reinvite()
            assert (await call.request("INFO", b"x", content_type="text/plain")).status == 200
            await call.bye()
            await until(lambda: ended)
            assert (users, established) == (["bob"], ["OK", "OK"])
            assert f"algorithm={algorithm}," in str(credentials[0])
            assert refused(alice, "challenged") == 1  # what follows the INVITE brings the next count of its nonce
            assert refused(alice, "unauthorized") == 0

    asyncio.run(main())


def test_a_wrong_password_or_none_is_401_and_no_call() -> None:
    async def main() -> None:
        async with asyncio.timeout(40), agent() as alice:
            calls: list[Call] = []
            alice.listen(auth_user2pass=BOBS, cb_create=lambda call, request: note(calls, call))
            for auth in (None, ("bob", "wrong"), ("nobody", "secret")):
                async with agent("sip:b@127.0.0.1", auth=auth) as bob:
                    with pytest.raises(CallRejected) as error:
                        await bob.invite(address_of(alice))
                    assert error.value.status == 401
            assert calls == []
            assert refused(alice, "unauthorized") == 2

    asyncio.run(main())


def test_the_challenge_offers_what_can_be_verified_under_one_signed_nonce() -> None:
    async def scenario(alice: UserAgent, caller: Caller) -> None:
        caller.send("INVITE", 1, body=SDP.format(port=9))
        challenge = await caller.final(1, "INVITE")
        assert challenge.status == 401
        assert challenge.to_tag
        offers = challenge.headers.get_all("WWW-Authenticate")
        assert [("SHA-256" in each, "MD5" in each) for each in offers] == [(False, True), (True, False)]
        (nonce,) = {each.partition('nonce="')[2].partition('"')[0] for each in offers}
        assert all('qop="auth"' in each and 'opaque="kept"' in each for each in offers)
        assert int(nonce.split(".")[0], 16) == 0  # the slot
        assert challenge.via.params["rport"] == str(caller.port)

    played(scenario, auth_opaque="kept", auth_algorithms=("MD5", "SHA-256"))


@pytest.mark.parametrize(
    ("options", "offered"),
    [
        ({}, ["MD5"]),
        ({"auth_strict": True}, ["SHA-256", "MD5"]),
        ({"auth_user2a1": {"bob": {"MD5": ha1(md5), "SHA-256": ha1(sha256)}}}, ["MD5"]),
        ({"auth_user2a1": {"bob": ha1(sha256)}}, ["SHA-256"]),
        ({"auth_algorithms": ("SHA-256", "MD5")}, ["SHA-256", "MD5"]),
    ],
    ids=["default", "strict", "both hashes", "hashes of SHA-256", "chosen"],
)
def test_only_md5_is_offered_unless_more_is_asked_for(options: dict[str, Any], offered: list[str]) -> None:
    """Some clients give up at a challenge of another algorithm, also beside one that they know."""

    async def scenario(alice: UserAgent, caller: Caller) -> None:
        caller.send("INVITE", 1, body=SDP.format(port=9))
        challenges = (await caller.final(1, "INVITE")).headers.get_all("WWW-Authenticate")
        assert [each.partition("algorithm=")[2].partition(",")[0] for each in challenges] == offered

    played(scenario, **options)


def test_every_request_of_the_caller_is_challenged_but_ack_and_cancel() -> None:
    async def scenario(alice: UserAgent, caller: Caller) -> None:
        await caller.establish()
        for cseq, method in enumerate(("INVITE", "INFO", "MESSAGE", "OPTIONS", "UPDATE", "NOTIFY", "REFER", "BYE"), 3):
            caller.send(method, cseq)
            assert (await caller.final(cseq, method)).status == 401, method
        caller.send("CANCEL", 3, branch="3INVITE")
        assert (await caller.final(3, "CANCEL")).status == 481
        (call,) = worker_of(alice).actors.live.values()
        assert call.is_up
        caller.send("BYE", 12)
        challenge = await caller.final(12, "BYE")
        caller.send("BYE", 13, credentials=caller.credentials(challenge, "BYE"))
        assert (await caller.final(13, "BYE")).status == 200
        assert call.cause == "bye"

    played(scenario)


def test_a_request_outside_of_a_call_is_challenged_too() -> None:
    async def scenario(alice: UserAgent, caller: Caller) -> None:
        caller.send("OPTIONS", 1)
        challenge = await caller.final(1, "OPTIONS")
        assert challenge.status == 401
        caller.send("OPTIONS", 2, credentials=caller.credentials(challenge, "OPTIONS"))
        assert (await caller.final(2, "OPTIONS")).status == 200
        caller.send("CANCEL", 3)
        assert (await caller.final(3, "CANCEL")).status == 481

    played(scenario)


def test_answers_without_state_go_where_the_via_says_and_say_where_the_request_came_from() -> None:
    async def scenario(alice: UserAgent, caller: Caller) -> None:
        caller.send("CANCEL", 1)  # its Via names another port, and asks for the real one
        assert (await caller.final(1, "CANCEL")).via.params["rport"] == str(caller.port)
        async with Caller(alice) as other:
            other.send("CANCEL", 2, via=f"127.0.0.1:{caller.port}")  # RFC 3261 section 18.2.2, without RFC 3581
            assert (await caller.final(2, "CANCEL")).status == 481
            assert other.responses == []

    played(scenario)


def test_a_repeated_request_is_answered_again_and_not_judged_again() -> None:
    async def scenario(alice: UserAgent, caller: Caller) -> None:
        await caller.establish()
        caller.send("BYE", 3)
        challenge = await caller.final(3, "BYE")
        caller.send("BYE", 4, credentials=caller.credentials(challenge, "BYE"))
        assert (await caller.final(4, "BYE")).status == 200
        caller.repeat()
        assert (await caller.final(4, "BYE", 2)).status == 200

    played(scenario)


def test_credentials_are_good_once_for_their_own_request_and_source() -> None:
    async def scenario(alice: UserAgent, caller: Caller) -> None:
        used = await caller.establish()
        caller.send("INVITE", 3, credentials=used)  # the same count again
        replayed = await caller.final(3, "INVITE")
        assert replayed.status == 401
        assert all("stale=true" in each for each in replayed.headers.get_all("WWW-Authenticate"))
        caller.send("INFO", 4, credentials=used)  # made for another method
        wrong = await caller.final(4, "INFO")
        assert wrong.status == 401
        assert not any("stale" in each for each in wrong.headers.get_all("WWW-Authenticate"))
        async with Caller(alice, "secret") as thief:
            made_up = [(name, value.replace('nonce="0.', 'nonce="0.1')) for name, value in used]
            thief.send("INVITE", 1, credentials=made_up, body=SDP.format(port=9))
            assert (await thief.final(1, "INVITE")).status == 401
        assert refused(alice, "unauthorized") == 2

    played(scenario)


def test_a_lookup_that_fails_refuses_the_request_and_harms_nobody_else() -> None:
    async def scenario(alice: UserAgent, caller: Caller) -> None:
        caller.send("INVITE", 1, body=SDP.format(port=9))
        challenge = await caller.final(1, "INVITE")
        caller.send("INVITE", 2, credentials=caller.credentials(challenge, "INVITE"), body=SDP.format(port=9))
        assert (await caller.final(2, "INVITE")).status == 500
        alice.listen(auth_user2pass=BOBS, auth_realm=REALM)
        caller.send("INVITE", 3, body=SDP.format(port=9))
        assert (await caller.final(3, "INVITE")).status == 401

    played(scenario, auth_user2pass=looked_up(True))


def test_calls_that_we_placed_and_agents_without_users_challenge_nobody() -> None:
    async def main() -> None:
        async with asyncio.timeout(40), agent() as alice, agent("sip:b@127.0.0.1") as bob:
            calls: list[Call] = []
            bob.listen(cb_create=lambda call, request: note(calls, call))
            alice.listen(auth_user2pass=BOBS)
            ended = StopVariable()
            await alice.invite(address_of(bob), recv_bye=ended)
            await calls[0].bye()
            await until(lambda: ended)
            alice.listen()
            call = await bob.invite(address_of(alice))
            await call.bye()
            assert refused(alice, "challenged") == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"auth_realm": "x"}, "auth_user2pass or auth_user2a1", id="nobody"),
        pytest.param({"auth_user2pas": BOBS}, "no argument auth_user2pas", id="misspelt"),
        pytest.param({"auth_user2pass": BOBS, "auth_algorithms": ["MD4"]}, "MD4", id="algorithm"),
        pytest.param({"auth_user2a1": {"bob": "secret"}}, "neither the 32 digits", id="no hash"),
        pytest.param(
            {"auth_user2a1": {"a": "0" * 32, "b": "0" * 64}},
            "no algorithm is there for every user",
            id="nothing common",
        ),
        pytest.param({"auth_user2pass": BOBS, "auth_qop": "auth-int"}, "optional, required, none", id="qop"),
        pytest.param({"auth_user2pass": BOBS, "auth_uri": "all"}, "named, request, any", id="uri"),
        pytest.param({"auth_user2aka": {"bob": ("short",)}}, "16 octets or 32", id="keys"),
        pytest.param({"auth_user2aka": {"bob": 7}}, r"give \(K, OP, AMF\)", id="no keys"),
        pytest.param({"auth_user2pass": BOBS, "auth_algorithms": "AKAv1-MD5"}, "AKAV1-MD5", id="no keys for aka"),
        pytest.param({"auth_user2pass": asyncio.sleep}, "a plain function", id="coroutine function"),
    ],
)
def test_options_that_could_let_nobody_in_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    async def main() -> None:
        async with agent() as alice:
            with pytest.raises(ConfigurationError, match=message):
                alice.listen(**options)

    asyncio.run(main())


def old_style(challenge: Response, method: str, uri: str) -> list[tuple[str, str]]:
    """Credentials as RFC 2069 has them, for the challenge of MD5."""
    (offer,) = [each for each in challenge.headers.get_all("WWW-Authenticate") if "algorithm=MD5," in each + ","]
    nonce = offer.partition('nonce="')[2].partition('"')[0]
    right = response_hash("MD5", ha1(md5), nonce, method, uri)
    head = f'Digest username="bob", realm="{REALM}", nonce="{nonce}", uri="{uri}", response="{right}"'
    return [("Authorization", f"{head}, algorithm=MD5")]


@pytest.mark.parametrize("qop", ["optional", "none"])
def test_a_client_without_qop_gets_every_request_through_with_one_nonce_each(qop: str) -> None:
    async def scenario(alice: UserAgent, caller: Caller) -> None:
        cseq = 0
        for method in ("OPTIONS", "INVITE", "INFO", "INVITE", "BYE"):
            body = SDP.format(port=9) if method == "INVITE" else ""
            caller.send(method, cseq := cseq + 1, body=body)
            challenge = await caller.final(cseq, method)
            assert challenge.status == 401, method
            if method == "INVITE":
                caller.send("ACK", cseq, branch=f"{cseq}INVITE")
            used = old_style(challenge, method, caller.uri)
            caller.send(method, cseq := cseq + 1, credentials=used, body=body)
            answer = await caller.final(cseq, method)
            assert answer.status == 200, method
            if method == "INVITE":
                caller.remote_tag = answer.to_tag or ""
                caller.send("ACK", cseq, branch=f"ack{cseq}")
            if method != "BYE":
                caller.send("OPTIONS", cseq := cseq + 1, credentials=old_style(challenge, "OPTIONS", caller.uri))
                again = await caller.final(cseq, "OPTIONS")
                assert again.status == 401, method
                assert all("stale=true" in each for each in again.headers.get_all("WWW-Authenticate"))
        assert refused(alice, "unauthorized") == 0

    played(scenario, auth_qop=qop)


@pytest.mark.parametrize(
    ("uri", "named", "strict"),
    [
        pytest.param("sip:127.0.0.1:5060", 200, 400, id="address and a port"),
        pytest.param("sip:bob@pbx.example", 200, 400, id="the callee behind another name"),
        pytest.param("sip:TEST", 200, 400, id="the realm"),
        pytest.param("sips:127.0.0.1", 200, 400, id="another scheme"),
        pytest.param("sip:mallory@elsewhere.example", 400, 400, id="somebody else"),
        pytest.param("tel:+4912345", 400, 400, id="a number"),
        pytest.param("*", 400, 400, id="no uri"),
        pytest.param("", 400, 400, id="nothing"),
    ],
)
def test_a_digest_uri_of_the_callers_own_counts_where_it_names_the_callee(uri: str, named: int, strict: int) -> None:
    for options, status in (({}, named), ({"auth_uri": "any"}, 200), ({"auth_uri": "request"}, strict)):

        async def scenario(alice: UserAgent, caller: Caller, status: int = status) -> None:
            caller.send("OPTIONS", 1)
            challenge = await caller.final(1, "OPTIONS")
            caller.send("OPTIONS", 2, credentials=old_style(challenge, "OPTIONS", uri))
            answer = await caller.final(2, "OPTIONS")
            assert answer.status == status
            if status == 400:
                assert answer.headers.get("Warning") == '399 sipswarm "the digest uri is not of this request"'

        played(scenario, **options)


ROBOT = """
async def robot(call):
    assert call.get_param("auth_user") == "bob"
    await call.answer()
    await call.over()

def setup(ua):
    ua.listen(robot, auth_user2pass={"bob": "secret"}, auth_realm="test")
"""


def test_every_call_worker_of_a_node_challenges_the_calls_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "robot.py").write_text(ROBOT)
    workers = ["--metrics", "0", "--call-workers", "2", "--media-workers", "1"]
    running = Running("robot", str(tmp_path / "robot.py"), "--listen", "udp:127.0.0.1:0", *workers)

    async def refused_by(caller: UserAgent, target: str) -> int:
        """The status of a call, 200 for one that was answered and hung up."""
        try:
            call = await caller.invite(target)
        except CallRejected as error:
            return error.status
        await call.bye()
        return 200

    async def scenario(target: str, metrics: str) -> None:
        async with asyncio.timeout(40), agent("sip:bob@127.0.0.1") as nobody:
            told: list[int] = []
            while told[-8:] != [401] * 8:  # by then `setup` has run in both
                told.append(await refused_by(nobody, target))
                await asyncio.sleep(0.02)
            assert set(told) <= {401, 480}, "nobody is let in before `setup` has said who may"
            async with agent("sip:bob@127.0.0.1", auth=("bob", "secret")) as bob:
                assert [await refused_by(bob, target) for _ in range(8)] == [200] * 8
            await until(lambda: scraped(metrics)["sipswarm_sip_refused_total", "challenged"] >= 16, every=0.2)

    try:
        target, metrics = running.line().removeprefix("listening on udp:"), running.line().removeprefix("metrics on ")
        asyncio.run(scenario(f"sip:robot@{target}", metrics))
    finally:
        running.close()


@pytest.mark.parametrize("foreign", ["Basic abc", "Bearer a.b.c", "junk", ""])
def test_other_schemes_beside_digest_change_nothing(foreign: str) -> None:
    async def scenario(alice: UserAgent, caller: Caller) -> None:
        caller.send("INVITE", 1, credentials=[("Authorization", foreign)], body=SDP.format(port=9))
        challenge = await caller.final(1, "INVITE")
        assert challenge.status == 401
        caller.send("ACK", 1, branch="1INVITE")
        ((name, own),) = caller.credentials(challenge, "INVITE")
        both = [(name, foreign), (name, own), (name, foreign)]
        caller.send("INVITE", 2, credentials=both, body=SDP.format(port=9))
        answer = await caller.final(2, "INVITE")
        assert answer.status == 200
        caller.remote_tag = answer.to_tag or ""
        caller.send("ACK", 2, branch="ack")
        caller.send("BYE", 3, credentials=[(name, foreign)])
        challenge = await caller.final(3, "BYE")
        assert challenge.status == 401
        ((name, own),) = caller.credentials(challenge, "BYE")
        caller.send("BYE", 4, credentials=[(name, foreign), (name, own)])
        assert (await caller.final(4, "BYE")).status == 200

    played(scenario)


@pytest.mark.parametrize("foreign", ["Basic realm=x", "Bearer a.b.c", "junk", ""])
@pytest.mark.parametrize("status", [401, 407])
def test_a_caller_answers_the_digest_challenge_among_others(status: int, foreign: str) -> None:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    challenges = [(name, foreign), (name, 'Digest realm="test", nonce="n"'), (name, foreign)]

    def judge(request: Request) -> Sequence[Response]:
        if request.method == "ACK":
            return []
        known = request.headers.get("Authorization" if status == 401 else "Proxy-Authorization")
        if request.method == "INVITE" and known is None:
            return [reply(request, status, *challenges)]
        return [reply(request, 200, peer=peer)]

    peer = Peer(judge)

    async def main() -> None:
        async with asyncio.timeout(20), agent("sip:b@127.0.0.1", auth=("bob", "secret")) as bob, peer:
            call = await bob.invite(peer.uri(), media="none")
            await call.bye()
        assert peer.methods() == ["INVITE", "INVITE", "BYE"]

    asyncio.run(main())
