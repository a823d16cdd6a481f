"""Counters of SIP messages by method and code as they pass, each way, once per message on the wire.

Methods and codes come from the peer, so both are held to closed sets: those outside of them count as `other`.
"""

from typing import Final

from sipswarm.sipcore.message.messages import Request, Response

from ..counting.labels import CODES, METHODS, OTHER
from ..counting.totals import Cell, Totals

_METHODS: Final = frozenset(METHODS)
_CODES: Final = frozenset(map(int, CODES))


class SipCounters:
    """The counters `sipswarm_sip_requests_total` and `sipswarm_sip_responses_total` of one process."""

    __slots__ = ("_received", "_received_octets", "_sent", "_totals")

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._sent: dict[tuple[bytes, bytes], Cell] = {}
        self._received_octets: dict[tuple[bytes, bytes], Cell] = {}
        self._received: dict[tuple[str, int], Cell] = {}

    def received(self, message: Request | Response, transport: str) -> None:
        """Count a message that came in."""
        if isinstance(message, Request):
            key = (message.method, 0)
        else:
            key = (message.cseq.method, message.status)
        cell = self._received.get(key)
        if cell is None:
            cell = self._cell("received", key[0], key[1], transport)
            if key[0] in _METHODS and (not key[1] or key[1] in _CODES):
                self._received[key] = cell
        cell.value += 1

    def received_octets(self, data: bytes, transport: str) -> None:
        """Count a message that came in and is not parsed."""
        key = self._key(data)
        cell = self._received_octets.get(key)
        if cell is None:
            cell = self._octets_cell("received", key, transport, self._received_octets)
        cell.value += 1

    def sent(self, data: bytes, transport: str) -> None:
        """Count a message that went out, by its first octets and its CSeq."""
        key = self._key(data)
        cell = self._sent.get(key)
        if cell is None:
            cell = self._octets_cell("sent", key, transport, self._sent)
        cell.value += 1

    @staticmethod
    def _key(data: bytes) -> tuple[bytes, bytes]:
        """(status code, method) of a message; a request has no status code."""
        if data.startswith(b"SIP/2.0 "):
            found = data.find(b"\r\nCSeq: ")
            if found >= 0:
                key = (data[8:11], data[data.find(b" ", found + 8) + 1 : data.find(b"\r", found + 2)])
            else:  # a header copied from the peer, which writes its name in another way
                start = data.lower().find(b"\r\ncseq") + 2
                words = data[start : data.find(b"\r", start)].split()
                key = (data[8:11], words[-1] if words else b"")
        else:
            key = (b"", data[: data.find(b" ")])
        return key

    def _octets_cell(
        self, direction: str, key: tuple[bytes, bytes], transport: str, known: dict[tuple[bytes, bytes], Cell]
    ) -> Cell:
        """The counter of a message by `_key`, remembered where its method is one of the usual ones."""
        method = key[1].decode("utf-8", "replace")
        code = int(key[0]) if key[0].isdigit() else 0
        cell = self._cell(direction, method, code, transport)
        if method in _METHODS and (not code or code in _CODES):
            known[key] = cell
        return cell

    def _cell(self, direction: str, method: str, code: int, transport: str) -> Cell:
        method = method if method in _METHODS else OTHER.upper()
        if not code:
            return self._totals.cell("sipswarm_sip_requests_total", direction, method, transport)
        name = "sipswarm_sip_responses_total"
        return self._totals.cell(name, direction, method, str(code) if code in _CODES else OTHER)
