"""The sample programs of Net::SIP that serve others, or join them, with user agents of ours on both sides.

docs/from-net-sip.md has all fourteen with their ports. What the samples have as constants, their address and a debug
level, is replaced in a copy of the installed file.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected
from sipswarm.actors.handle.call import Call
from tests.e2e.agents import address_of, agent, note
from tests.e2e.test_from_net_sip import PAGE_DEFINES
from tests.e2e.waiting import until

from .conftest import Start
from .net_sip import HEARD, NetSip
from .peers import NET_SIP, require
from .processes import LOOPBACK, Program, bound, free_port, wait_until
from .test_samples_of_net_sip import SAMPLES, Sample


class Changed(Sample):
    """A sample whose constants are others; `PORT` in them is a free port."""

    def __init__(self, folder: Path, name: str, constants: Mapping[str, str]) -> None:
        perl = require(NET_SIP)
        if not (SAMPLES / name).is_file():
            pytest.skip(f"{SAMPLES / name} is not installed")
        self.port = free_port()
        text = (SAMPLES / name).read_text()
        for constant, value in constants.items():
            assert text.count(constant) >= 1, f"{name} has no {constant}"
            text = text.replace(constant, value.replace("PORT", str(self.port)))
        copy = folder / Path(name).name
        copy.write_text(text)
        self.program = Program([perl, str(copy)], folder, copy.stem)


def phone(user: str, port: int, **options: Any) -> UserAgent:
    """A user agent whose registrar and proxy is a sample."""
    return agent(f"sip:{user}@{LOOPBACK}", registrar=f"sip:{LOOPBACK}:{port}", **options)


async def talk(alice: UserAgent, to: str, bob: UserAgent) -> None:
    """A call that both sides have up, with audio there and back, and that both see end."""
    calls: list[Call] = []
    bob.listen(media="echo", cb_established=lambda status, call: note(calls, call))
    call = await alice.invite(to, media="tone:440")
    await until(lambda: calls and call.statistics.packets_received >= HEARD)
    await call.bye()
    await calls[0].over()
    assert calls[0].by == "remote"


def test_register_and_redirect_of_perl_takes_our_password_and_sends_our_caller_to_us(
    tmp_path: Path, start: Start
) -> None:
    sample = start(Sample(tmp_path, "register_and_redirect.pl", f"{LOOPBACK}:PORT"))
    sample.listens()

    async def main() -> None:
        here = f"sip:looser@{LOOPBACK}:{sample.port}"
        options: dict[str, Any] = {"registrar": f"sip:{LOOPBACK}:{sample.port}"}
        bob, mallory = (agent(here, auth=("looser", word), **options) for word in ("secret", "wrong"))
        alice = agent("sip:alice@127.0.0.1", redirects=1, auth=("looser", "secret"))
        async with asyncio.timeout(40), alice, bob, mallory:
            assert await bob.register() > 0
            await talk(alice, here, bob)
            with pytest.raises(CallRejected):
                await mallory.register()

    asyncio.run(main())


def test_we_register_and_call_through_the_registrar_and_proxy_of_perl(tmp_path: Path, start: Start) -> None:
    sample = start(Changed(tmp_path, "test_registrar_and_proxy.pl", {"192.168.178.2:5060": f"{LOOPBACK}:PORT"}))
    sample.listens()

    async def main() -> None:
        alice = phone("alice", sample.port, outgoing_proxy=f"sip:{LOOPBACK}:{sample.port}")
        async with asyncio.timeout(40), phone("bob", sample.port) as bob, alice:
            assert await bob.register() > 0
            await talk(alice, f"sip:bob@{LOOPBACK}", bob)

    asyncio.run(main())


@pytest.mark.parametrize("helped", [False, True], ids=["direct", "relayed"])
def test_we_register_and_call_through_the_stateless_proxy_of_perl(tmp_path: Path, start: Start, helped: bool) -> None:
    """With the domain alone it drops what names a Contact: ACK and BYE (docs/from-net-sip.md)."""
    words = ("--leg", f"{LOOPBACK}:PORT", "-r", "--domain", "example.com", "--domain", "*")
    sample = start(Sample(tmp_path, "bin/stateless_proxy.pl", *(("--nathelper",) if helped else ()), *words))
    sample.listens()

    async def main() -> None:
        proxy = f"sip:{LOOPBACK}:{sample.port}"
        options = {"outgoing_proxy": proxy, "registrar": "sip:example.com"}
        bob, alice = (agent(f"sip:{user}@example.com", **options) for user in ("bob", "alice"))
        async with asyncio.timeout(40), bob, alice:
            assert await bob.register() > 0
            await talk(alice, "sip:bob@example.com", bob)

    asyncio.run(main())


def test_a_proxy_of_perl_relays_our_audio_through_its_nathelper(tmp_path: Path, start: Start) -> None:
    helper = start(Sample(tmp_path, "bin/nathelper.pl", f"{LOOPBACK}:PORT"))
    wait_until(lambda: bound(helper.port, "tcp"), 10, helper.program.account)
    port = free_port()
    perl = start(
        NetSip(tmp_path, "helped_proxy.pl", 40, local=f"sip:{LOOPBACK}:{port}", helper=f"{LOOPBACK}:{helper.port}")
    )
    perl.ready()

    async def main() -> None:
        alice = phone("alice", port, outgoing_proxy=f"sip:{LOOPBACK}:{port}")
        async with asyncio.timeout(40), phone("bob", port) as bob, alice:
            assert await bob.register() > 0
            await talk(alice, f"sip:bob@{LOOPBACK}", bob)

    asyncio.run(main())


def test_the_digits_of_dtmf_pl_are_heard(tmp_path: Path, start: Start) -> None:
    digits: list[str] = []

    async def main() -> None:
        async with asyncio.timeout(40), agent("sip:bob@127.0.0.1") as bob:
            calls: list[Call] = []
            bob.listen(
                media="tone:440",
                cb_create=lambda call, request: note(calls, call),
                cb_dtmf=lambda event, duration: note(digits, event),
            )
            sample = Changed(
                tmp_path,
                "dtmf.pl",
                {
                    "$debug = 100": "$debug = 0",
                    "addr => '192.168.56.1'": f"addr => '{LOOPBACK}:PORT'",
                    "sip:*69@192.168.56.101": address_of(bob, "*69"),
                    "sip:100@192.168.56.1": f"sip:100@{LOOPBACK}:PORT",
                },
            )
            await asyncio.get_running_loop().run_in_executor(None, start(sample).ended)
            assert calls[0].by == "remote"

    asyncio.run(main())
    assert "".join(digits) == "ABCD*#1234567890"


def test_the_page_measures_the_delay_of_the_listening_bench(tmp_path: Path, start: Start) -> None:
    sample = start(Sample(tmp_path, "bench/listen.pl", "-L", f"{LOOPBACK}:PORT", "-F", f"sip:bob@{LOOPBACK}:PORT"))
    sample.listens()

    async def main() -> None:
        async with asyncio.timeout(40), agent() as alice:
            received, lost, delays = await PAGE_DEFINES["bench"](alice, f"sip:bob@{LOOPBACK}:{sample.port}", 3, 1.0)
            assert received == len(delays) >= 3 * HEARD
            assert lost >= 0
            assert 0 < min(delays) <= max(delays)

    asyncio.run(main())


def test_the_page_joins_a_phone_of_perl_and_one_of_ours(tmp_path: Path, start: Start) -> None:
    """3pcc.pl itself drops each answer to its INVITE: its Call-ID is none for the parser of Net::SIP 0.835."""
    port = free_port()
    perl = start(NetSip(tmp_path, "uas.pl", 40, local=f"sip:{LOOPBACK}:{port}"))
    perl.ready()

    async def main() -> None:
        async with asyncio.timeout(40), agent("sip:controller@127.0.0.1") as ua, agent() as alice:
            calls: list[Call] = []
            alice.listen(media="tone:440", cb_create=lambda call, request: note(calls, call))
            first, second = await PAGE_DEFINES["join"](ua, address_of(alice), f"sip:bob@{LOOPBACK}:{port}")
            await until(lambda: calls[0].statistics.packets_received >= HEARD)  # her tone, as Perl returns it
            await first.bye()
            await second.bye()

    asyncio.run(main())
    said = perl.report()
    assert (said["established"], said["ended"]) == (1, 1)
