"""Encrypted media through refresh, hold, new keys and the wrap of the numbers, judged by libsrtp contexts that stay."""

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from sipswarm.media.engine import MediaEngine, MediaSettings
from sipswarm.media.messages import CommandRefused, ConfigureStream
from sipswarm.media.rtp import rtcp
from sipswarm.media.rtp.srtp import SUITES, new_key
from sipswarm.media.sockets import bind
from tests.media.world import HOME, World

pylibsrtp = pytest.importorskip("pylibsrtp", reason="pylibsrtp is in the extra srtp")
START = 65_536 - 1_500
"""Our first sequence number: it wraps in the second leg."""


class Foreign:
    """A peer made of sockets and libsrtp: one context per key and direction, never made again."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.rtp, self.rtcp = bind(HOME, 0), bind(HOME, 0)
        self.contexts: dict[tuple[str, bytes], Any] = {}
        self.heard = self.reports = self.refused = 0
        self.used: set[tuple[bytes, str, int]] = set()
        self.twice = 0
        self.number = 0
        self._highest: dict[bytes, int] = {}

    def context(self, way: str, key: bytes) -> Any:
        if (way, key) not in self.contexts:
            policy = pylibsrtp.Policy
            kind = policy.SSRC_ANY_INBOUND if way == "in" else policy.SSRC_ANY_OUTBOUND
            profile = getattr(policy, SUITES[self.suite].profile)
            self.contexts[way, key] = pylibsrtp.Session(policy(key=key, ssrc_type=kind, srtp_profile=profile))
        return self.contexts[way, key]

    def _note(self, key: bytes, kind: str, index: int) -> None:
        self.twice += (key, kind, index) in self.used
        self.used.add((key, kind, index))

    def listen(self, key: bytes) -> None:
        """Take everything that has come, with the context of our side's key."""
        context = self.context("in", key)
        for sock, kind in ((self.rtp, "rtp"), (self.rtcp, "rtcp")):
            for data in arrived(sock):
                try:
                    if kind == "rtp":
                        context.unprotect(data)
                        self.heard += 1
                        before = self._highest.get(key, data[2] << 8 | data[3])
                        step = ((data[2] << 8 | data[3]) - before + 0x8000 & 0xFFFF) - 0x8000
                        self._highest[key] = before + step
                        self._note(key, kind, before + step)
                    else:
                        context.unprotect_rtcp(data)
                        self.reports += 1
                        tag = 0 if "GCM" in self.suite else 10  # SRTCP of _32 has the long tag (RFC 4568 6.2.2)
                        self._note(key, kind, int.from_bytes(data[len(data) - tag - 4 : len(data) - tag]) & 0x7FFFFFFF)
                except pylibsrtp.Error:
                    self.refused += 1

    def talk(self, key: bytes, port: int, rtcp_port: int) -> None:
        context = self.context("out", key)
        self.number += 1
        packet = b"\x80\x00" + (self.number + START & 0xFFFF).to_bytes(2) + (160 * self.number).to_bytes(4)
        self.rtp.sendto(context.protect(packet + b"\0\0\0\7" + b"\xff" * 160), (HOME, port))
        if self.number % 250 == 0:
            self.rtcp.sendto(context.protect_rtcp(rtcp.ReceiverReport(7).to_bytes()), (HOME, rtcp_port))


def arrived(sock: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield sock.recv(2048)
        except BlockingIOError:
            return


def some(count: int) -> bytes:
    """Randomness, but for where a sender begins to count."""
    return os.urandom(4) + START.to_bytes(2) + os.urandom(4) if count == 10 else os.urandom(count)


@pytest.mark.parametrize("suite", SUITES)
def test_everything_is_authentic_and_no_key_stream_is_used_twice(world: World, suite: str) -> None:
    engine = MediaEngine(MediaSettings(rtcp_minimum=1.0), clock=lambda: world.now, random_bytes=some)
    world.engines.append(engine)
    world.events[engine] = []
    at = world.open(engine)
    peer = Foreign(suite)
    ours, mine, others, theirs = (new_key(suite, os.urandom) for _ in range(4))
    base = ConfigureStream(
        1, "sendrecv", HOME, peer.rtp.getsockname()[1], peer.rtcp.getsockname()[1], source=("silence",)
    )
    legs = [
        ("begin", ours, theirs, suite, "sendrecv"),
        ("wrap", ours, theirs, suite, "sendrecv"),
        ("refresh", ours, theirs, suite, "sendrecv"),
        ("hold", ours, theirs, suite, "recvonly"),
        ("resume", ours, theirs, suite, "sendrecv"),
        ("rekey of the peer", ours, others, suite, "sendrecv"),
        ("our rekey", mine, others, suite, "sendrecv"),
        ("both back", ours, theirs, suite, "sendrecv"),
    ]
    for name, own, their, in_use, direction in legs:
        world.do(
            engine,
            base._replace(srtp_suite=in_use, srtp_send_key=own, srtp_receive_key=their, direction=direction),
        )
        heard, reports = peer.heard, peer.reports
        for _ in range(1_000):
            peer.talk(their, at.rtp_port, at.rtcp_port)
            world.run(0.02)
            peer.listen(own)
        if direction == "sendrecv":
            assert peer.heard - heard >= 995, name
        assert peer.reports - reports >= 5, name
    assert (peer.refused, peer.twice) == (0, 0)
    assert len(peer.used) == peer.heard + peer.reports
    final = world.close(engine)
    assert final.packets_received == 8_000
    assert final.packets_discarded == 0
    assert final.rtcp_received == 32
    assert not world.said(engine, CommandRefused)
    peer.rtp.close()
    peer.rtcp.close()
