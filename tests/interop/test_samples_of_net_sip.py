"""The sample programs that come with Net::SIP, as they are installed, with ours at the other end of the call."""

import asyncio
from pathlib import Path

import pytest

from sipswarm.actors.handle.media_handlers import send_recv
from tests.e2e.agents import address_of, agent, note
from tests.e2e.waiting import until

from .conftest import Start
from .net_sip import HEARD
from .peers import NET_SIP, require
from .processes import LOOPBACK, Program, bound, free_port, wait_until

SAMPLES = Path("/usr/share/doc/libnet-sip-perl/examples")
"""Where Debian installs them."""
FRAMES = [bytes([number]) * 160 for number in range(50)]


class Sample:
    """One run of a sample program."""

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        perl = require(NET_SIP)
        if not (SAMPLES / name).is_file():
            pytest.skip(f"{SAMPLES / name} is not installed")
        self.port = free_port()
        words = [each.replace("PORT", str(self.port)) for each in arguments]
        self.program = Program([perl, str(SAMPLES / name), *words], folder, Path(name).stem)

    def listens(self) -> None:
        """Wait until it has its port."""
        wait_until(lambda: bound(self.port, "udp"), 10, self.program.account)

    def ended(self) -> None:
        """Wait until it has ended without an error."""
        assert self.program.wait(30) == 0, self.program.account()


def test_what_invite_and_send_plays_is_heard(tmp_path: Path, start: Start) -> None:
    (tmp_path / "sent.pcmu").write_bytes(b"".join(FRAMES))
    heard: list[bytes] = []

    async def main() -> None:
        async with asyncio.timeout(40), agent("sip:bob@127.0.0.1") as bob:
            bob.listen(
                init_media=send_recv(
                    lambda number, channel: b"\xff" * 160, output=lambda payload, *_: note(heard, payload)
                ),
            )
            caller = f"sip:alice@{LOOPBACK}:PORT"
            words = ("-S", str(tmp_path / "sent.pcmu"), "-L", f"{LOOPBACK}:PORT", caller, address_of(bob))
            sample = start(Sample(tmp_path, "invite_and_send.pl", *words))
            await asyncio.get_running_loop().run_in_executor(None, sample.ended)

    asyncio.run(main())
    rest = iter(FRAMES)
    assert all(frame in rest for frame in heard), "in order, octet for octet"
    assert len(heard) >= HEARD


def test_invite_and_recv_writes_what_we_play(tmp_path: Path, start: Start) -> None:
    async def main() -> None:
        async with asyncio.timeout(40), agent("sip:bob@127.0.0.1") as bob:
            bob.listen(init_media=send_recv(lambda number, channel: FRAMES[number % 50]))
            caller = f"sip:alice@{LOOPBACK}:PORT"
            words = ("-O", str(tmp_path / "heard.pcmu"), "-T", "2", "-L", f"{LOOPBACK}:PORT", caller, address_of(bob))
            sample = start(Sample(tmp_path, "invite_and_recv.pl", *words))
            await asyncio.get_running_loop().run_in_executor(None, sample.ended)

    asyncio.run(main())
    heard = (tmp_path / "heard.pcmu").read_bytes()
    frames = [heard[at : at + 160] for at in range(0, len(heard), 160)]
    assert len(frames) >= HEARD
    assert set(frames) <= set(FRAMES)


def test_the_answer_machine_plays_its_welcome_and_records_us(tmp_path: Path, start: Start) -> None:
    (tmp_path / "welcome.pcmu").write_bytes(b"".join(FRAMES))
    saved = tmp_path / "saved"
    saved.mkdir()
    words = ("-W", str(tmp_path / "welcome.pcmu"), "-D", str(saved), "-T", "3", f"sip:bob@{LOOPBACK}:PORT")
    sample = start(Sample(tmp_path, "bin/answer_machine.pl", *words))
    sample.listens()
    heard: list[bytes] = []

    async def main() -> None:
        async with asyncio.timeout(40), agent() as alice:
            call = await alice.invite(
                f"sip:bob@{LOOPBACK}:{sample.port}",
                init_media=send_recv(
                    lambda number, channel: b"\x2a" * 160, output=lambda payload, *more: note(heard, payload)
                ),
            )
            await call.over()
            assert call.by == "remote"

    asyncio.run(main())
    rest = iter([*FRAMES, *FRAMES[-1:] * 1000])
    assert all(frame in rest for frame in heard), "in order, octet for octet"
    assert len(heard) >= HEARD
    (file,) = saved.iterdir()
    assert set(file.read_bytes()) == {0x2A}


@pytest.mark.slow
def test_the_bench_that_listens_echoes_calls_of_ours(tmp_path: Path, start: Start) -> None:
    sample = start(Sample(tmp_path, "bench/listen.pl", "-L", f"{LOOPBACK}:PORT", "-F", f"sip:bob@{LOOPBACK}:PORT"))
    sample.listens()

    async def main() -> None:
        async with asyncio.timeout(40), agent() as alice:
            heard: list[list[bytes]] = [[], [], []]

            async def talk(number: int) -> None:
                frame = bytes([number]) * 160
                call = await alice.invite(
                    f"sip:bob@{LOOPBACK}:{sample.port}",
                    init_media=send_recv(lambda *_: frame, output=lambda payload, *more: note(heard[number], payload)),
                )
                await until(lambda: len(heard[number]) >= HEARD, 30)
                await call.bye()
                assert set(heard[number]) == {frame}

            await asyncio.gather(*map(talk, range(3)))

    asyncio.run(main())
