"""Classic capture files of SIP messages: each is written as one UDP datagram in an IP packet (LINKTYPE_RAW).

TCP and TLS messages are written the same way: whole, without the octets of a connection, because these never come
here. The Via of a message has the real transport. Pure; it must not use files or interpret a message.
"""

import ipaddress
import struct
from typing import Final

LONGEST: Final = 65507
"""Octets of a message that fit into a packet; a longer one (TCP only) is cut."""
LINKTYPE_RAW: Final = 101
"""An IPv4 or IPv6 header comes first."""
HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, LINKTYPE_RAW)
"""What a file begins with: version 2.4, times in microseconds UTC."""
_UDP: Final = 17
_HOPS: Final = 64

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def packet(at: float, source: tuple[str, int], destination: tuple[str, int], payload: bytes) -> bytes:
    """One record of the file.

    Args:
        at: seconds since 1970.
        source, destination: IP address and port; what is no address is written as the wildcard.
        payload: the message; only its first 65,507 octets fit.
    """
    payload = payload[:LONGEST]
    sender, receiver = _address(source[0]), _address(destination[0])
    if sender.version != receiver.version:  # a wildcard listener of the other family, or a mapped address
        sender, receiver = _mapped(sender), _mapped(receiver)
    length = 8 + len(payload)
    if isinstance(sender, ipaddress.IPv4Address):
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0, _HOPS, _UDP, 0, sender.packed, receiver.packed)
        head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
    else:
        head = struct.pack("!IHBB16s16s", 6 << 28, length, _UDP, _HOPS, sender.packed, receiver.packed)
    pseudo = sender.packed + receiver.packed + struct.pack("!II", length, _UDP)
    ports = struct.pack("!HHH", source[1], destination[1], length)
    udp = ports + struct.pack("!H", _checksum(pseudo + ports + payload) or 0xFFFF) + payload  # RFC 768: 0 means none
    seconds = int(at)
    size = len(head) + length
    return struct.pack("<IIII", seconds, int((at - seconds) * 1e6), size, size) + head + udp


def _address(host: str) -> Address:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ipaddress.IPv4Address(0)


def _mapped(address: Address) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(bytes(10) + b"\xff\xff" + address.packed)


def _checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return 0xFFFF - (total % 0xFFFF or 0xFFFF)  # no header that is written here adds up to nothing
