"""The harness without us: peers call themselves, so that a red test elsewhere means our product."""

import asyncio
from pathlib import Path

import pytest

from .baresip import Phone
from .conftest import Start
from .kamailio import Proxy
from .net_sip import NetSip
from .processes import LOOPBACK, free_port
from .sipp import Sipp
from .speech import likeness, speech


def test_sipp_calls_sipp_and_both_files_tell_the_same(tmp_path: Path, start: Start) -> None:
    callee = start(Sipp(tmp_path, "uas", scenario="uas", calls=20, seconds=20))
    callee.ready()
    options = ["-r", "50"]
    caller = start(Sipp(tmp_path, "uac", remote=callee.address, scenario="uac", calls=20, seconds=20, options=options))
    placed, taken = caller.verdict(), callee.verdict()
    assert (placed.exit_code, taken.exit_code) == (0, 0), placed.account + taken.account
    assert placed.calls("SuccessfulCall(C)") == taken.calls("SuccessfulCall(C)") == 20
    assert placed.total("INVITE", "Sent") == taken.total("INVITE", "Recv") == 20
    assert placed.total("200", "Recv") == taken.total("200", "Sent") == 40


def test_a_call_that_nobody_answers_is_a_failure_for_sipp(tmp_path: Path, start: Start) -> None:
    remote = f"{LOOPBACK}:{free_port()}"
    options = ["-max_retrans", "1"]
    caller = start(Sipp(tmp_path, "uac", remote=remote, scenario="uac", calls=1, seconds=15, options=options))
    verdict = caller.verdict()
    assert verdict.exit_code != 0, verdict.account


def test_net_sip_calls_net_sip_and_hears_itself(tmp_path: Path, start: Start) -> None:
    address = f"{LOOPBACK}:{free_port()}"
    callee = start(NetSip(tmp_path, "uas.pl", 20, local=f"sip:{address}"))
    callee.ready()
    local = f"sip:{LOOPBACK}:{free_port()}"
    caller = start(NetSip(tmp_path, "uac.pl", 20, to=f"sip:bob@{address}", local=local, frames=50, dtmf="1#"))
    said, heard = caller.report(), callee.report()
    assert said["final"] == "OK"
    assert said["bye"] == 1
    assert said["whole"] == len(said["numbers"]) >= 50
    assert heard["ended"] == heard["established"] == 1
    assert heard["digits"] == ["1", "#"]


@pytest.mark.parametrize("transport", ["u1", "t1"], ids=["udp", "tcp-to-udp"])
def test_sipp_calls_sipp_through_kamailio_along_the_route(tmp_path: Path, start: Start, transport: str) -> None:
    callee = start(Sipp(tmp_path, "callee", scenario="uas_records_routes.xml", calls=3, seconds=20))
    callee.ready()
    proxy = start(Proxy(tmp_path, callee.address))
    proxy.ready()
    scenario = "uac_follows_routes.xml"
    caller = Sipp(tmp_path, "caller", remote=proxy.address, scenario=scenario, calls=3, seconds=20, transport=transport)
    placed = start(caller).verdict()
    taken = callee.verdict()
    assert (placed.exit_code, taken.exit_code) == (0, 0), placed.account + taken.account


PAIRS = [
    ("uas_rings_forever.xml", "uac_cancels.xml", ()),
    ("uas_busy.xml", "uac_is_refused.xml", ()),
    ("uas", "uac_late_ack.xml", ()),
    ("uas_hangs_up.xml", "uac_waits_for_bye.xml", ()),
    ("uas_repeats_200.xml", "uac", ("-pause_msg_ign",)),
]


@pytest.mark.parametrize(("waiting", "calling", "options"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_our_scenarios_fit_each_other(
    tmp_path: Path, start: Start, waiting: str, calling: str, options: tuple[str, ...]
) -> None:
    callee = start(Sipp(tmp_path, "callee", scenario=waiting, calls=2, seconds=20, options=options))
    callee.ready()
    hold = ["-d", "1500"]
    caller = start(Sipp(tmp_path, "caller", remote=callee.address, scenario=calling, calls=2, seconds=20, options=hold))
    placed, taken = caller.verdict(), callee.verdict()
    assert (placed.exit_code, taken.exit_code) == (0, 0), placed.account + taken.account


def test_baresip_hears_itself_from_net_sip(tmp_path: Path, start: Start) -> None:
    address = f"{LOOPBACK}:{free_port()}"
    start(NetSip(tmp_path, "uas.pl", 30, local=f"sip:{address}")).ready()
    voice = speech(6, seed=1)
    phone = start(Phone(tmp_path, voice))

    async def call() -> None:
        async with phone:
            await phone.command("dial", f"sip:bob@{address}")
            await phone.event("CALL_ESTABLISHED")
            await asyncio.sleep(5)
            await phone.command("hangup")
            await phone.event("CALL_CLOSED")

    asyncio.run(call())
    packets = phone.packets()
    assert packets.received >= packets.sent - 2 > 200, phone.program.account()
    heard = likeness(voice, phone.recording())
    assert heard.found >= 0.9, heard
    assert abs(heard.gain - 1) < 0.02, heard
