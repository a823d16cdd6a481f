"""SIPp 3.6.1 as a caller with a password, at a user agent that challenges: its exit code says whether it got in.

It reads the first challenge only and knows MD5 and AKAv1-MD5; its digest uri is `sip:ADDRESS:PORT` of where it sends.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent

from .conftest import Start
from .processes import LOOPBACK
from .sipp import Sipp, Verdict

PASSWORDS = {"alice": "secret"}


def called(
    folder: Path, start: Start, scenario: str, calls: int, leg: str, seconds: float = 30, **options: Any
) -> tuple[Verdict, UserAgent]:
    """SIPp calls a listening user agent. leg: transport and host."""

    async def main() -> tuple[Verdict, UserAgent]:
        async with UserAgent("sip:robot@127.0.0.1", legs=(f"{leg}:0",), rtp_ports=(28000, 28398)) as ua:
            ua.listen(media="silence", auth_realm="interop", **options)
            transport, host = ua.legs[0].transport, ua.legs[0].host
            remote = f"[{host}]:{ua.legs[0].port}" if ":" in host else f"{host}:{ua.legs[0].port}"
            more: dict[str, Any] = {"transport": "u1" if transport == "udp" else "t1", "host": host}
            more["options"] = ["-l", "1", "-r", "50"]  # AKA: challenges must be answered in their order
            sipp = start(Sipp(folder, "uac", remote=remote, scenario=scenario, calls=calls, seconds=seconds, **more))
            return await asyncio.to_thread(sipp.verdict), ua

    return asyncio.run(main())


def counted(ua: UserAgent, reason: str) -> float:
    return ua._node.totals.cell("sipswarm_sip_refused_total", reason).value


@pytest.mark.parametrize("leg", [f"udp:{LOOPBACK}", "udp:[::1]", f"tcp:{LOOPBACK}"])
@pytest.mark.parametrize("more", [{}, {"auth_algorithms": "MD5"}, {"auth_qop": "none"}, {"auth_uri": "any"}])
def test_sipp_with_a_password_gets_in_and_may_hang_up(
    tmp_path: Path, start: Start, leg: str, more: dict[str, Any]
) -> None:
    verdict, ua = called(tmp_path, start, "uac_authenticates.xml", 5, leg, auth_user2pass=PASSWORDS, **more)
    assert verdict.exit_code == 0, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == 5
    again = verdict.calls("Retransmissions(C)")  # on a busy machine: each copy is challenged, without a state
    assert 10 <= counted(ua, "challenged") <= 10 + again
    assert counted(ua, "unauthorized") == 0


def test_sipp_with_another_password_stays_out(tmp_path: Path, start: Start) -> None:
    verdict, ua = called(
        tmp_path, start, "uac_authenticates.xml", 1, f"udp:{LOOPBACK}", 3, auth_user2pass={"alice": "other"}
    )
    assert verdict.exit_code != 0, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == 0
    assert counted(ua, "unauthorized") >= 1


@pytest.mark.parametrize("more", [{}, {"auth_algorithms": ("MD5",)}])
def test_strict_digest_keeps_sipp_out(tmp_path: Path, start: Start, more: dict[str, Any]) -> None:
    verdict, _ = called(
        tmp_path,
        start,
        "uac_authenticates.xml",
        1,
        f"udp:{LOOPBACK}",
        3,
        auth_user2pass=PASSWORDS,
        auth_strict=True,
        **more,
    )
    assert verdict.exit_code not in (0, None), verdict.account


# SIPp reads its own keys as templates: one with the octet of a bracket is a syntax error for it.
K, OP, AMF = b"0123456789abcdef", "0xCDC202D5123E20F62B6D676AC72CB318", "0xB9B9"


@pytest.mark.parametrize("leg", [f"udp:{LOOPBACK}", "udp:[::1]", f"tcp:{LOOPBACK}"])
@pytest.mark.parametrize("more", [{}, {"auth_user2pass": PASSWORDS, "auth_algorithms": ("AKAv1-MD5", "MD5")}])
def test_sipp_with_a_key_gets_in_by_aka(tmp_path: Path, start: Start, leg: str, more: dict[str, Any]) -> None:
    keys = {"alice": (K, OP, AMF)}
    verdict, ua = called(tmp_path, start, "uac_authenticates_by_aka.xml", 20, leg, auth_user2aka=keys, **more)
    assert verdict.exit_code == 0, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == 20
    assert (counted(ua, "challenged"), counted(ua, "unauthorized")) == (40, 0)


def test_sipp_with_another_key_stays_out(tmp_path: Path, start: Start) -> None:
    keys = {"alice": ("0x" + "00" * 16, OP, AMF)}
    verdict, _ = called(tmp_path, start, "uac_authenticates_by_aka.xml", 1, f"udp:{LOOPBACK}", 3, auth_user2aka=keys)
    assert verdict.exit_code != 0, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == 0
