"""What peers of scenario files do: the plays of `same_file_rows`."""

import hashlib
import re

from .scripted_peer import Play, ScriptedPeer, header, request, response_to


def takes_call(peer: ScriptedPeer) -> None:
    """Answers an INVITE, and its BYE."""
    peer.expect()
    peer.respond(100)
    peer.respond(180)
    peer.respond(200)
    peer.expect()
    peer.expect()
    peer.respond(200)


def answers(*codes: int, more: str = "") -> Play:
    """Answers the first request with these, the others with 200 as long as they come."""

    def play(peer: ScriptedPeer) -> None:
        peer.expect()
        for code in codes:
            peer.respond(code, more)
        peer.listen(1.5)

    return play


def answers_without(name: str) -> Play:
    """Answers the first request with a 200 that lacks a header."""

    def play(peer: ScriptedPeer) -> None:
        lines = response_to(peer.expect(), 200).split("\r\n")
        peer.send("\r\n".join(line for line in lines if not line.startswith(f"{name}:")))
        peer.listen(1.0)

    return play


def answers_each(more: str = "", count: int = 2) -> Play:
    """Answers as many requests with 200, one after the other; an ACK gets no answer."""

    def play(peer: ScriptedPeer) -> None:
        for _ in range(count):
            if not peer.expect().startswith("ACK"):
                peer.respond(200, more)
        peer.listen(0.3)

    return play


def hears(count: int) -> Play:
    """Answers nothing: waits for as many messages, and a while for more."""

    def play(peer: ScriptedPeer) -> None:
        for _ in range(count):
            peer.expect()
        peer.listen(0.3)

    return play


def answers_first_and_third(peer: ScriptedPeer) -> None:
    """Answers two of three requests."""
    peer.expect()
    peer.respond(200)
    peer.expect()
    peer.expect()
    peer.respond(200)


def disorder(peer: ScriptedPeer) -> None:
    """Answers an INVITE with provisional responses in disorder, some of them twice."""
    peer.expect()
    for code in (100, 183, 180, 183, 180, 200):
        peer.respond(code, f"X: {len(peer.messages)}{code}\r\n")
    peer.listen(0.5)


def third_invite(peer: ScriptedPeer) -> None:
    """Answers the third of the INVITEs only."""
    for _ in range(3):
        peer.expect()
    peer.respond(200)
    peer.expect()


def repeats_200(peer: ScriptedPeer) -> None:
    """Sends its 200 three times, the last time with other octets."""
    peer.expect()
    peer.respond(200)
    peer.expect()
    peer.listen(0.1)
    peer.respond(200, to=0)
    peer.expect()
    peer.listen(0.1)
    peer.respond(200, "X-Other: 1\r\n", to=0)
    peer.expect()
    peer.expect()
    peer.respond(200)


def answers_later(peer: ScriptedPeer) -> None:
    """Answers a request after a while."""
    peer.expect()
    peer.listen(0.1)
    peer.respond(200)
    peer.listen(0.2)


def in_pause(method: str) -> Play:
    """Answers an INVITE, sends a request in the pause behind it, and answers a BYE."""

    def play(peer: ScriptedPeer) -> None:
        invite = peer.expect()
        peer.respond(200)
        peer.expect()
        peer.listen(0.2)
        peer.send(request(method, 7, call_id=header(invite, "Call-ID")))
        for _ in range(2):
            peer.listen(0.9, most=1)
            if peer.names[-1] == "BYE":
                peer.respond(200)
                return

    return play


def calls(*requests: tuple[str, int, float], call_id: str = "peer-1") -> Play:
    """Begins a call: methods, CSeq numbers, and how long it listens behind each."""

    def play(peer: ScriptedPeer) -> None:
        for method, number, seconds in requests:
            peer.send(request(method, number, call_id=call_id))
            peer.listen(seconds)

    return play


def one_after_the_other(*plays: Play) -> Play:
    """Does several things in their order."""

    def play(peer: ScriptedPeer) -> None:
        for each in plays:
            each(peer)

    return play


def invites_with_routes(peer: ScriptedPeer) -> None:
    """Begins a call through three proxies, and takes its BYE."""
    more = "Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p3;lr>\r\nContact: <sip:b@127.0.0.1:5099>\r\n"
    peer.send(request("INVITE", 1, more))
    peer.expect()
    peer.send(request("ACK", 1))
    peer.expect()
    peer.respond(200)


def in_timewait(peer: ScriptedPeer) -> None:
    """Takes a call, and sends a request when it is over."""
    takes_call(peer)
    peer.listen(0.2)
    peer.send(request("OPTIONS", 7, call_id=header(peer.messages[0], "Call-ID")))
    peer.listen(1.0)


def late_100(peer: ScriptedPeer) -> None:
    """Answers a BYE with 100 at once, and with 200 late."""
    peer.expect()
    peer.respond(200)
    peer.expect()
    peer.expect()
    peer.respond(100)
    peer.listen(0.8)
    peer.respond(200)


def twice_180(peer: ScriptedPeer) -> None:
    """Rings twice before it answers."""
    peer.expect()
    peer.respond(180, "X: 1\r\n")
    peer.respond(180, "X: 2\r\n")
    peer.respond(200)
    peer.expect()


def sends_info(peer: ScriptedPeer) -> None:
    """Sends an INFO with a high CSeq number."""
    first = peer.expect()
    peer.send(request("INFO", 400, call_id=header(first, "Call-ID")))
    peer.expect()


def info_before_ack(peer: ScriptedPeer) -> None:
    """Sends an INFO before the ACK has come."""
    invite = peer.expect()
    peer.respond(200)
    peer.listen(0.2)
    peer.send(request("INFO", 400, call_id=header(invite, "Call-ID")))
    peer.listen(0.3)


def again_with_other_header(peer: ScriptedPeer) -> None:
    """Sends its first 200 again, with a header more."""
    peer.expect()
    peer.respond(200)
    peer.expect()
    peer.respond(200, "X: 1\r\n", to=0)
    peer.expect()
    peer.respond(202, to=1)


def challenges(offer: str, answer: str, code: int) -> Play:
    """Challenges the first request, and checks the answer in the second."""

    def play(peer: ScriptedPeer) -> None:
        peer.expect()
        peer.respond(code, f'{offer}: Digest realm="r.example", nonce="n1", qop="auth", algorithm=MD5, opaque="o"\r\n')
        given = header(peer.expect(), answer)
        method = peer.names[-1]
        values = dict(re.findall(r'(\w+)="?([^",]*)"?', given))
        secret = _md5("joe:r.example:secret")
        target = _md5(f"{method}:{values['uri']}")
        middle = f"n1:{values['nc']}:{values['cnonce']}:auth"
        assert values["response"] == _md5(f"{secret}:{middle}:{target}"), given
        peer.respond(200)
        peer.listen(0.2)

    return play


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def in_order(peer: ScriptedPeer) -> None:
    """Answers an INVITE and an OPTIONS in their order, and the INVITE again."""
    peer.expect()
    peer.expect()
    peer.respond(200, to=0)
    peer.expect()
    peer.respond(200, to=1)
    peer.listen(0.2)
    peer.respond(200, "X: 1\r\n", to=0)
    peer.listen(0.8)


def second_first(peer: ScriptedPeer) -> None:
    """Answers the second of two requests, and not the first."""
    peer.expect()
    peer.expect()
    peer.respond(200, to=1)
    peer.listen(0.5)
