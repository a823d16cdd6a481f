"""A UAS that answers every INVITE and counts the live dialogs, from INVITE to BYE, by what is on the wire alone."""

import re
import socket
import threading
from types import TracebackType
from typing import Self

ANSWER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n"
EVENTS = "a=rtpmap:101 telephone-event/8000\r\n"


class CountingUas:
    """Answers 200 on a UDP port of its own, in a thread of its own, until it is closed.

    Args:
        reinvited: False: it knows no INVITE within a call, and answers nothing more of a call that had one.
    """

    def __init__(self, *, reinvited: bool = True) -> None:
        self._reinvited = reinvited
        self.silenced: set[str] = set()
        """Call-IDs of the calls of which it answers nothing more"""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._media.bind(("127.0.0.1", 0))
        self._media.settimeout(0.1)
        self._socket.settimeout(0.1)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.live: dict[str, str] = {}
        """the user that each live dialog called, by Call-ID"""
        self.most = 0
        """live dialogs at a time"""
        self.most_of_a_user = 0
        self.users: list[str] = []
        """who was called, in order, once for each dialog"""
        self.digits: dict[int, str] = {}
        """telephone-events received, by SSRC"""
        self._seen: set[str] = set()
        self._stopped = False
        self._threads = [threading.Thread(target=self._serve), threading.Thread(target=self._listen)]

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped = True
        for each in self._threads:
            each.join()
        self._socket.close()
        self._media.close()

    def _serve(self) -> None:
        while True:
            try:
                data, source = self._socket.recvfrom(65536)
            except TimeoutError:  # nothing is left to read
                if self._stopped:
                    return
                continue
            lines = data.decode().split("\r\n\r\n")[0].split("\r\n")
            method, uri, _ = lines[0].split(" ", 2)
            headers = [line for line in lines[1:] if re.match(r"(?i)(via|from|to|call-id|cseq):", line)]
            call_id = next(line.split(":", 1)[1].strip() for line in headers if line.lower().startswith("call-id"))
            if method == "INVITE" and ";tag=uas" in data.decode() and not self._reinvited:
                self.silenced.add(call_id)
            if call_id in self.silenced:
                continue
            if method == "INVITE" and call_id not in self._seen:
                self._seen.add(call_id)
                user = uri.removeprefix("sip:").partition("@")[0]
                self.users.append(user)
                self.live[call_id] = user
                self.most = max(self.most, len(self.live))
                self.most_of_a_user = max(self.most_of_a_user, list(self.live.values()).count(user))
            elif method == "BYE":
                self.live.pop(call_id, None)
            if method != "ACK":
                self._socket.sendto(self._answer(method, headers), source)

    def _answer(self, method: str, headers: list[str]) -> bytes:
        tagged = [f"{each};tag=uas" if re.match(r"(?i)to:(?!.*;tag=)", each) else each for each in headers]
        body = (ANSWER + EVENTS).format(port=self._media.getsockname()[1]) if method == "INVITE" else ""
        more = [f"Contact: <sip:{self.address}>", f"Content-Length: {len(body)}"]
        if body:
            more.append("Content-Type: application/sdp")
        return "\r\n".join(["SIP/2.0 200 OK", *tagged, *more, "", body]).encode()

    def _listen(self) -> None:
        last: dict[int, int] = {}
        while True:
            try:
                packet = self._media.recv(2048)
            except TimeoutError:
                if self._stopped:
                    return
                continue
            ssrc, timestamp = int.from_bytes(packet[8:12]), int.from_bytes(packet[4:8])
            if packet[1] & 0x7F == 101 and last.get(ssrc) != timestamp:
                last[ssrc] = timestamp
                self.digits[ssrc] = self.digits.get(ssrc, "") + "0123456789*#"[packet[12]]
