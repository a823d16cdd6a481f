"""`sipswarm registrar` with real processes: user agents of ours register, are challenged, and found after a restart."""

import asyncio
import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.errors import CallRejected
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.parser import parse
from tests.interop.processes import descendants

from .agents import agent
from .servers import BOTH, USERS, Server, serving
from .test_orphans import name_of
from .waiting import until


def ask(port: int, *lines: str, method: str = "REGISTER", number: int = 1, uri: str = "") -> Response:
    """Send a request by UDP, and return its final response; it is repeated each second, as a client does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.settimeout(1.0)
        own = client.getsockname()[1]
        text = (
            f"{method} {uri or f'sip:127.0.0.1:{port}'} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK-{own}-{number};rport",
            "Max-Forwards: 70",
            f"From: <sip:alice@127.0.0.1:{port}>;tag=1",
            f"To: <sip:alice@127.0.0.1:{port}>",
            f"Call-ID: ask-{own}",
            f"CSeq: {number} {method}",
            *lines,
            "Content-Length: 0",
        )
        for _ in range(20):
            client.sendto("\r\n".join((*text, "", "")).encode(), ("127.0.0.1", port))
            try:
                response = parse(client.recv(65536))
            except TimeoutError:
                continue
            assert isinstance(response, Response)
            return response
    raise AssertionError("no response came")


def contacts(port: int) -> list[str]:
    """The contacts that alice has at a registrar without passwords."""
    response = ask(port)
    assert response.status == 200
    return [str(each.uri) for each in response.contacts]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_user_registers_after_a_challenge_and_a_stranger_does_not(tmp_path: Path, transport: str) -> None:
    users = tmp_path / "users.csv"
    users.write_text(USERS)

    async def scenario(server: Server) -> None:
        uri = f"sip:127.0.0.1:{server.ports[transport]};transport={transport}"
        leg = f"{transport}:127.0.0.1:0"
        async with agent("sip:alice@127.0.0.1", leg, auth=("alice", "secret")) as alice:
            assert await alice.register(uri, expires=120) == 120
            assert await alice.register(uri, expires=100000) == 7200
            await until(lambda: server.metric("sipswarm_registrar_bindings") == 1)
            with pytest.raises(CallRejected) as foreign:
                await alice.register(uri, from_="sip:bob@127.0.0.1")
            assert foreign.value.status == 403
            assert await alice.register(uri, expires=0) == 0
            await until(lambda: server.metric("sipswarm_registrar_bindings") == 0)
        async with agent("sip:alice@127.0.0.1", leg, auth=("alice", "wrong")) as mallory:
            with pytest.raises(CallRejected) as refused:
                await mallory.register(uri)
            assert refused.value.status == 401
        async with agent("sip:alice@127.0.0.1", leg) as nobody:
            with pytest.raises(CallRejected):
                await nobody.register(uri)

    with serving("registrar", *BOTH, "--users", str(users), "--realm", "example.org") as server:
        asyncio.run(asyncio.wait_for(scenario(server), 60))
        asyncio.run(until(lambda: server.metric("sipswarm_sip_refused_total") >= 2))
        code, errors = server.running.end(signal.SIGTERM)
    assert (code, errors.count("Traceback")) == (0, 0), errors


def test_a_binding_ends_with_its_time_and_too_short_a_time_is_refused() -> None:
    with serving("registrar", "--listen", "udp:127.0.0.1:0", "--expires", "1s:2s:3s") as server:
        port = server.ports["udp"]
        assert ask(port, "Contact: <sip:alice@192.0.2.7>", "Expires: 100").contacts[0].expires == 3
        assert contacts(port) == ["sip:alice@192.0.2.7"]
        asyncio.run(until(lambda: contacts(port) == []))
        asyncio.run(until(lambda: server.metric("sipswarm_registrar_bindings") == 0))
    with serving("registrar", "--listen", "udp:127.0.0.1:0") as server:
        refused = ask(server.ports["udp"], "Contact: <sip:alice@192.0.2.7>;expires=59")
        assert (refused.status, refused.min_expires) == (423, 60)


def test_path_may_be_required_and_anything_else_may_not() -> None:
    with serving("registrar", *BOTH) as server:
        port = server.ports["udp"]
        bound = ("Contact: <sip:alice@192.0.2.7>", "Path: <sip:192.0.2.9;lr>", "Supported: path")
        response = ask(port, *bound, "Require: path", number=1)
        assert (response.status, response.headers.get("Path")) == (200, "<sip:192.0.2.9;lr>")
        response = ask(port, *bound, "Require: path, gruu", number=2)
        assert (response.status, response.headers.get("Unsupported")) == (420, "gruu")
        response = ask(port, method="OPTIONS", number=3)
        assert "path" in response.supported


def test_what_is_dropped_gets_no_answer_and_is_counted() -> None:
    def dropped() -> float:
        return server.metric("sipswarm_sip_refused_total", 'reason="dropped"')

    async def counted(times: int) -> None:
        await until(lambda: dropped() == times)

    with serving("registrar", *BOTH, "--drop-agent", "Scanner", "--drop-above", "5") as server:
        port = server.ports["udp"]
        for number in (1, 2):
            assert ask(port, number=number).status == 200
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind(("127.0.0.1", 0))
            client.setblocking(False)
            text = (
                f"OPTIONS sip:127.0.0.1:{port} SIP/2.0",
                f"Via: SIP/2.0/UDP 127.0.0.1:{client.getsockname()[1]};branch=z9hG4bK-silent;rport",
                *("From: <sip:a@127.0.0.1>;tag=1", f"To: <sip:127.0.0.1:{port}>", "Call-ID: silent", "CSeq: 1 OPTIONS"),
                *("Max-Forwards: 70", "User-Agent: friendly-scanner", "Content-Length: 0"),
            )
            client.sendto("\r\n".join((*text, "", "")).encode(), ("127.0.0.1", port))
            asyncio.run(counted(1))
            for number in range(3, 30):
                plain = "\r\n".join((*text[:-2], text[-1], "", "")).replace("silent", f"plain{number}")
                client.sendto(plain.encode(), ("127.0.0.1", port))
            asyncio.run(until(lambda: dropped() > 20))
            answers = 0
            with contextlib.suppress(BlockingIOError):
                while client.recv(65536):
                    answers += 1
            assert answers <= 3


def test_bindings_outlive_a_restart_with_their_file(tmp_path: Path) -> None:
    file = tmp_path / "bindings"
    arguments = ("registrar", "--listen", "udp:127.0.0.1:0", "--file", str(file))
    with serving(*arguments) as server:
        port = server.ports["udp"]
        for number in (1, 2):
            ask(port, f"Contact: <sip:alice@192.0.2.{number}>;q=0.{number}", "Expires: 600")
        ask(port, "Contact: <sip:alice@192.0.2.3>", "Expires: 600")
        ask(port, "Contact: <sip:alice@192.0.2.3>", "Expires: 0")
        assert server.running.end(signal.SIGTERM)[0] == 0
    assert file.stat().st_mode & 0o777 == 0o600
    with serving(*arguments) as server:
        response = ask(server.ports["udp"])
        found = {str(each.uri): (each.q, each.expires or 0) for each in response.contacts}
        assert {uri: q for uri, (q, _) in found.items()} == {"sip:alice@192.0.2.1": 0.1, "sip:alice@192.0.2.2": 0.2}
        assert all(500 < seconds <= 600 for _, seconds in found.values())


def test_the_death_of_its_process_loses_no_binding() -> None:
    with serving("registrar", "--listen", "udp:127.0.0.1:0") as server:
        port = server.ports["udp"]
        ask(port, "Contact: <sip:alice@192.0.2.7>")
        children = descendants(server.running.process.pid)
        (worker,) = [each for each in children if name_of(each).endswith("call-0")]
        os.kill(worker, signal.SIGKILL)
        assert contacts(port) == ["sip:alice@192.0.2.7"]


def test_a_planned_replacement_of_its_process_loses_no_binding() -> None:
    def worker() -> int:
        found = [each for each in descendants(server.running.process.pid) if name_of(each).endswith("call-0")]
        return found[0] if len(found) == 1 else 0

    with serving("registrar", "--listen", "udp:127.0.0.1:0") as server:
        port = server.ports["udp"]
        ask(port, "Contact: <sip:alice@192.0.2.7>")
        before = worker()
        assert before
        server.running.process.send_signal(signal.SIGRTMIN)
        asyncio.run(until(lambda: worker() not in (0, before), 60))
        assert contacts(port) == ["sip:alice@192.0.2.7"]
        ask(port, "Contact: <sip:alice@192.0.2.8>;q=0.1")
        assert contacts(port) == ["sip:alice@192.0.2.7", "sip:alice@192.0.2.8"]


def test_calls_are_redirected_to_the_contacts_where_that_is_wished() -> None:
    with serving("registrar", "--listen", "udp:127.0.0.1:0", "--redirect") as server:
        port = server.ports["udp"]
        ask(port, "Contact: <sip:alice@192.0.2.7>;q=0.2, <sip:alice@192.0.2.8>")

        async def scenario() -> list[str]:
            async with agent("sip:carol@127.0.0.1") as carol:
                with pytest.raises(CallRejected) as unknown:
                    await carol.invite(f"sip:nobody@127.0.0.1:{port}")
                assert unknown.value.status == 404
                with pytest.raises(CallRejected) as moved:
                    await carol.invite(f"sip:alice@127.0.0.1:{port}")
                assert moved.value.status == 302
                assert moved.value.response is not None
                assert (await carol.request("OPTIONS", f"sip:127.0.0.1:{port}")).status == 200
                return [str(each.uri) for each in moved.value.response.contacts]

        assert asyncio.run(asyncio.wait_for(scenario(), 60)) == ["sip:alice@192.0.2.8", "sip:alice@192.0.2.7"]


def test_what_is_blocked_is_refused_before_all_else_and_counted() -> None:
    blocks = ("--block", "INVITE=405", "--block", "MESSAGE=486", "--block-agent", "Scanner")
    for verb in (["registrar", "--redirect"], ["proxy", "--registrar"]):
        with serving(*verb, "--listen", "udp:127.0.0.1:0", *blocks) as server:
            port = server.ports["udp"]
            assert ask(port, "User-Agent: friendly-scanner", "Contact: <sip:alice@192.0.2.7>").status == 403
            assert contacts(port) == []
            assert ask(port, method="MESSAGE").status == 486

            async def scenario(port: int) -> int:
                async with agent("sip:carol@127.0.0.1") as carol:
                    with pytest.raises(CallRejected) as refused:
                        await carol.invite(f"sip:alice@127.0.0.1:{port}")
                    return refused.value.status

            assert asyncio.run(asyncio.wait_for(scenario(port), 60)) == 405
            asyncio.run(until(lambda: server.metric("sipswarm_sip_refused_total", 'reason="blocked"') >= 3))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["registrar", "--users", "missing.csv"], "missing.csv: No such file"),
        (["registrar", "--users", "columns.csv"], "columns.csv:1: there is no column password"),
        (["registrar", "--users", "twice.csv"], "twice.csv:3: the user alice stands twice"),
        (["registrar", "--file", "columns.csv"], "columns.csv: it is no file of bindings"),
        (["registrar", "--expires", "60s:30s:1h"], "no three times that rise"),
        (["registrar", "--expires", "60s"], "no three times that rise"),
        (["registrar", "--block", "INVITE=200"], "INVITE=200' is no method with a status"),
        (["proxy", "--auth"], "--auth needs the passwords of the users"),
        (["proxy", "--any-from"], "--any-from is about users that --auth challenges"),
        (["proxy", "--file", "bindings"], "--file is about bindings"),
        (["proxy", "--redirect"], "No such option"),
        (["registrar", "--users", ""], "'--users': it is empty"),
        (["registrar", "--file", ""], "'--file': it is empty"),
        (["proxy", "--next-hop", ""], "'--next-hop': it is empty"),
        (["proxy", "--users", "users.csv"], "give one of them too"),
        (["registrar", "--algorithm", "MD5"], "--algorithm is about challenges"),
        (["registrar", "--realm", " "], "'--realm': it is empty"),
        (["registrar", "--domain", ""], "'--domain': it is empty"),
        (["registrar", "--domain", "exa mple"], "is no domain"),
        (["registrar", "--domain", "sip:example.org"], "is no domain"),
        (["registrar", "--domain", "example.org:5060"], "is no domain"),
        (["registrar", "--block-agent", ""], "'--block-agent': it is empty"),
        (["registrar", "--drop-agent", ""], "'--drop-agent': it is empty"),
        (["registrar", "--block", "FOO=405"], "FOO is not one of BYE, "),
        (["registrar", "--block", "ACK=405"], "ACK is not one of BYE, "),
        (["proxy", "--relay-media", "--rtp-ports", "20000-20000"], "needs two pairs of ports"),
        (["registrar", "--file", "missing/bindings"], "missing/bindings: its folder is not there"),
        (["proxy", "--registrar", "--file", "/dev/null"], "/dev/null: it is no file"),
    ],
)
def test_what_is_wrong_is_an_error_of_usage_with_its_place(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("columns.csv").write_text("user,pin\nalice,1\n")
    Path("twice.csv").write_text("user,password\nalice,1\nalice,2\n")
    Path("users.csv").write_text(USERS)
    assert main([*arguments, "--listen", "udp:127.0.0.1:0", "--metrics", "off"]) == 2
    assert said in capsys.readouterr().err
    assert Path("columns.csv").read_text() == "user,pin\nalice,1\n"


def test_a_proxy_with_users_whose_calls_are_not_challenged_says_so(tmp_path: Path) -> None:
    users = tmp_path / "users.csv"
    users.write_text(USERS)
    cases: list[tuple[list[str], bool]] = [([], True), (["--auth"], False)]
    for more, said in cases:
        with serving("proxy", "--listen", "udp:127.0.0.1:0", "--registrar", "--users", str(users), *more) as server:
            code, errors = server.running.end(signal.SIGTERM)
        assert (code, "only REGISTER is challenged" in errors) == (0, said), errors


@pytest.mark.parametrize("verb", [["registrar", "--redirect"], ["proxy", "--registrar"]], ids=lambda each: each[0])
def test_an_address_of_sips_is_not_found_at_a_contact_over_udp(verb: list[str]) -> None:
    with serving(*verb, "--listen", "udp:127.0.0.1:0") as server, socket.socket(type=socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.setblocking(False)
        port = server.ports["udp"]
        ask(port, f"Contact: <sip:alice@127.0.0.1:{phone.getsockname()[1]}>")
        response = ask(port, method="MESSAGE", number=2, uri=f"sips:alice@127.0.0.1:{port}")
        assert (response.status, response.headers.get("Warning")) == (480, '380 sipswarm "SIPS Not Allowed"')
        with pytest.raises(BlockingIOError):
            phone.recv(65536)


def test_sighup_reads_the_users_again_and_who_is_gone_is_bound_no_more(tmp_path: Path) -> None:
    users = tmp_path / "users.csv"
    users.write_text(USERS)

    async def scenario(server: Server) -> None:
        async def bound(number: int) -> None:
            await until(lambda: server.metric("sipswarm_registrar_bindings") == number)

        uri = f"sip:127.0.0.1:{server.ports['udp']}"
        async with (
            agent("sip:alice@127.0.0.1", auth=("alice", "secret")) as alice,
            agent("sip:bob@127.0.0.1", auth=("bob", "other")) as bob,
            agent("sip:alice@127.0.0.1", auth=("alice", "new")) as again,
        ):
            assert [await each.register(uri, expires=300) for each in (alice, bob)] == [300, 300]
            await bound(2)
            users.write_text("user,password\nalice,new\n")
            server.running.process.send_signal(signal.SIGHUP)
            await bound(1)
            for each in (alice, bob):
                with pytest.raises(CallRejected):
                    await each.register(uri, expires=600)
            assert await again.register(uri, expires=300) == 300
            await bound(2)
            users.write_text("user\nalice\n")
            server.running.process.send_signal(signal.SIGHUP)
            assert await again.register(uri, expires=600) == 600

    with serving("registrar", "--listen", "udp:127.0.0.1:0", "--users", str(users)) as server:
        asyncio.run(asyncio.wait_for(scenario(server), 60))
        code, errors = server.running.end(signal.SIGTERM)
    assert (code, errors.count("Traceback")) == (0, 0), errors
    assert "there is no column password" in errors


def test_sighup_without_users_says_that_it_reads_nothing() -> None:
    with serving("registrar", "--listen", "udp:127.0.0.1:0") as server:
        code, errors = server.running.end(signal.SIGHUP, signal.SIGTERM)
    assert (code, "SIGHUP reads the file of --users again" in errors) == (0, True), errors
