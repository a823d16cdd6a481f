"""What hostile messages are made of: the torture messages of the RFCs, SIPp's, our own of every method, and mutations.

Addresses in all of them are moved into 127.0.0.0/8, so that an answer or a BYE never leaves the machine.
"""

import re
from pathlib import Path
from random import Random

from tests.sipcore.message import test_ipv6
from tests.sipcore.message.test_fuzz import EDGES, mutate

SCENARIOS = Path(__file__).resolve().parent.parent / "interop" / "sipp"
METHODS = (
    b"INVITE", b"ACK", b"BYE", b"CANCEL", b"PRACK", b"UPDATE", b"REFER", b"SUBSCRIBE", b"INFO", b"NOTIFY", b"MESSAGE",
    b"OPTIONS", b"REGISTER", b"PUBLISH", b"invite", b"X-ANY",
)  # fmt: skip
TRANSPORTS = (b"UDP", b"TCP", b"TLS", b"SCTP", b"WS", b"WSS", b"udp", b"TLS-SCTP", b"\xff", b"")
STATUSES = (
    b"100 Trying", b"180 Ringing", b"181 Forwarded", b"183 Progress", b"199 Gone", b"200 OK", b"202 Accepted",
    b"299 ?", b"300 Many", b"302 Moved", b"305 Use Proxy", b"380 Other", b"400 Bad", b"401 Who", b"403 No", b"404 None",
    b"407 Who", b"408 Late", b"415 What", b"420 What", b"421 More", b"422 Short", b"480 Away", b"481 Gone",
    b"482 Loop", b"486 Busy", b"487 Ended", b"488 Not Here", b"491 Pending", b"500 Error", b"503 Later", b"600 Busy",
    b"603 No", b"699 ?", b"700 ?", b"099 ?", b"99999 ?",
)  # fmt: skip
SDP = b"v=0\r\no=- 7 %d IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n%s"
AUDIO = b"m=audio 9 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
MEDIA_LINES = (
    AUDIO,
    b"m=audio 9 RTP/AVP 8\r\na=sendonly\r\n",
    b"m=audio 0 RTP/AVP 0\r\n",
    b"m=audio 65535 RTP/AVP 0 8 9 96 97 98\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 " + b"x=1;" * 200 + b"\r\n",
    b"m=audio 70000 RTP/AVP 0\r\n",
    b"m=audio 9/2 RTP/AVP 0\r\n",
    b"m=audio 9 RTP/AVP\r\n",
    b"m=audio 9 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n",
    b"m=video 9 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n",
    b"m=image 9 udptl t38\r\na=T38FaxVersion:0\r\n",
    b"m=message 9 TCP/MSRP *\r\na=path:msrp://127.0.0.1:9/a;tcp\r\n",
    b"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
    b"m=\xff\xfe 9 RTP/AVP 0\r\n",
    b"m=audio 9 RTP/AVP 0\r\nc=IN IP6 ::ffff:127.0.0.1\r\na=ptime:0\r\na=maxptime:-1\r\n",
    b"m=audio 9 RTP/AVP " + b" ".join(b"%d" % n for n in range(128)) + b"\r\n",
    b"m=audio 9 RTP/AVP 0\r\na=candidate:1 1 UDP 1 127.0.0.1 9 typ host\r\n" * 40,
    b"a=group:BUNDLE a b c\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=fingerprint:sha-256 00:11\r\na=setup:actpass\r\n",
)
BODIES = (
    (b"", b""),
    (b"application/sdp", SDP % (1, AUDIO)),
    (b"application/sdp", SDP % (1, b"")),
    (b"application/sdp", b"v=1\r\n"),
    (b"application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n"),
    (b"application/dtmf-relay", b"Signal=\xff\r\nDuration=99999999999999\r\n"),
    (b"application/dtmf", b"5"),
    (b"message/sipfrag;version=2.0", b"SIP/2.0 200 OK\r\n"),
    (b"message/sipfrag", b"SIP/2.0 9999999999\r\n"),
    (b"multipart/mixed;boundary=x", b"--x\r\nContent-Type: application/sdp\r\n\r\n" + SDP % (1, AUDIO) + b"\r\n--x--"),
    (b"multipart/mixed", b"--x\r\n\r\n"),
    (b"multipart/mixed;boundary=", b"--\r\n--\r\n"),
    (b"text/plain", b"\xc3\x28 \x00 hello"),
    (b"application/pidf+xml", b"<presence/>"),
)
EXTRAS = (
    b"Require: 100rel\r\n", b"Require: timer\r\nSession-Expires: 90\r\n", b"Supported: timer, 100rel, replaces\r\n",
    b"Session-Expires: 1\r\nMin-SE: 0\r\n", b"Expires: 1\r\n", b"Replaces: a;to-tag=b;from-tag=c\r\n",
    b"Refer-To: <sip:b@127.0.0.1:9>\r\n", b"Refer-To: <sip:b@127.0.0.1?Replaces=a%3Bto-tag%3Db>\r\n",
    b"Event: refer\r\nSubscription-State: active;expires=60\r\n", b"Event: refer;id=1\r\n", b"RAck: 1 1 INVITE\r\n",
    b"Route: <sip:127.0.0.1:9;lr>\r\n", b"Record-Route: <sip:127.0.0.1;lr>, <sip:127.0.0.2>\r\n", b"RSeq: 1\r\n",
    b"Authorization: Digest username=\"a\", realm=\"b\", nonce=\"c\", uri=\"d\", response=\"e\"\r\n",
    b"Timestamp: 1e999\r\n", b"Max-Forwards: 0\r\n", b"Content-Encoding: gzip\r\n", b"Proxy-Require: any\r\n",
    b"Join: a;to-tag=b;from-tag=c\r\n", b"P-Asserted-Identity: <sip:\xff@x>\r\n", b"Via: SIP/2.0/UDP 127.0.0.9\r\n",
)  # fmt: skip
_FOREIGN = re.compile(rb"(?<![\d.])(?!127\.)\d{1,3}(\.\d{1,3}\.\d{1,3}\.\d{1,3})(?![\d.])")


def at_home(data: bytes) -> bytes:
    """The same with every address and name inside of this machine."""
    return _FOREIGN.sub(rb"127\1", data).replace(b"example.", b"invalid.")


def torture(folder: Path) -> list[bytes]:
    """The messages of RFC 4475 and RFC 5118."""
    found = [each.read_bytes() for each in sorted((folder / "rfc4475").glob("*.dat"))]
    return [*found, *test_ipv6.SERVED.values()]


def descriptions(folder: Path) -> list[bytes]:
    """Session descriptions of browsers, phones and broadcasters, good and broken ones."""
    return [each.read_bytes() for each in sorted(folder.rglob("*.sdp"))]


def of_sipp(host: str, port: int) -> list[bytes]:
    """The messages that the scenarios of the interop tests send, with SIPp's keywords filled in."""
    words = {
        "service": "bob", "remote_ip": "127.0.0.1", "remote_port": "5060", "local_ip": host, "local_port": str(port),
        "transport": "UDP", "branch": "z9hG4bK-1-0", "pid": "1", "call_number": "1", "call_id": "1-1@sipp", "len": "0",
        "local_ip_type": "4", "media_ip": host, "media_ip_type": "4", "media_port": "6000",
        "next_url": f"sip:bob@{host}", "peer_tag_param": ";tag=1", "routes": "Route: <sip:127.0.0.1;lr>",
        "last_Via:": f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK-1-0", "last_CSeq:": "CSeq: 1 INVITE",
        "last_From:": f"From: <sip:a@{host}>;tag=1", "last_To:": f"To: <sip:b@{host}>", "last_Call-ID:": "Call-ID: 1",
    }  # fmt: skip
    found = []
    for file in sorted(SCENARIOS.glob("*.xml")):
        for text in re.findall(r"<!\[CDATA\[(.*?)\]\]>", file.read_text(), re.DOTALL):
            lines = [each.strip() for each in text.strip().split("\n")]
            whole = "\r\n".join(re.sub(r"\[([\w:-]+)\]", lambda m: words.get(m[1], "1"), each) for each in lines)
            head, _, body = whole.partition("\r\n\r\n")
            head = re.sub(r"Content-Length: *\d+", f"Content-Length: {len(body)}", head)
            found.append(f"{head}\r\n\r\n{body}".encode())
    return found


def offer(dice: Random) -> bytes:
    """A description with one to six media lines, strange ones among them."""
    lines = [dice.choice(MEDIA_LINES) for _ in range(dice.choice((1, 1, 2, 3, 6)))]
    return SDP % (dice.randrange(1 << 62), b"".join(lines))


def _other_length(data: bytes, dice: Random) -> bytes:
    return re.sub(rb"(?i)(content-length|\bl) *: *\d+", b"Content-Length: " + dice.choice(EDGES), data, count=1)


def _other_number(data: bytes, dice: Random) -> bytes:
    numbers = list(re.finditer(rb"\d+", data))
    if not numbers:
        return data
    found = dice.choice(numbers)
    return data[: found.start()] + dice.choice(EDGES) + data[found.end() :]


def _other_method(data: bytes, dice: Random) -> bytes:
    method = dice.choice(METHODS)
    data = re.sub(rb"^[A-Za-z-]+ ", method + b" ", data, count=1)
    return re.sub(rb"(CSeq: *\d+) \S+", rb"\1 " + method, data) if dice.random() < 0.7 else data


def _other_transport(data: bytes, dice: Random) -> bytes:
    return re.sub(rb"SIP/2.0/\S+", lambda _: b"SIP/2.0/" + dice.choice(TRANSPORTS), data, count=1)


def _lines(data: bytes, dice: Random) -> bytes:
    lines = data.split(b"\r\n")
    at = dice.randrange(len(lines))
    if dice.random() < 0.5:
        del lines[at]
    else:
        lines.insert(dice.randrange(len(lines)), lines[at])
    return b"\r\n".join(lines)


def _cut(data: bytes, dice: Random) -> bytes:
    return data[: dice.randrange(20, max(len(data), 21))]


def _odd_octets(data: bytes, dice: Random) -> bytes:
    at = dice.randrange(len(data))
    return (
        data[:at] + dice.choice((b"\0", b"\0" * 50, b"\xff\xfe", b"\xed\xa0\x80", b"\xc3\x28", b"\x1b[2J")) + data[at:]
    )


def mutated(data: bytes, others: list[bytes], dice: Random) -> bytes:
    """A mutation of a message, which may still be a good one."""
    kind = dice.choice((_other_length, _other_number, _other_method, _other_transport, _lines, _cut, _odd_octets, None))
    changed = mutate(data, others, dice) if kind is None else kind(data, dice)
    return at_home(changed) or b"x" * 30


def nested(dice: Random, head: bytes) -> bytes:
    """A request whose headers or body are many, or deep. head: its lines without the last blank one."""
    count = dice.choice((10, 50, 120, 500, 3000))
    kind = dice.randrange(8)
    if kind == 0:
        head += b"Via: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bKx\r\n" * count
    elif kind == 1:
        head += b"Route: " + b", ".join([b"<sip:127.0.0.9;lr>"] * count) + b"\r\n"
    elif kind == 2:
        head += b"Record-Route: <sip:127.0.0.9:9;lr>\r\n" * count
    elif kind == 3:
        head += b"Subject: " + b"(" * count + b")" * count + b"\r\n"
    elif kind == 4:
        head += b"Contact: " + b"<" * count + b"sip:a@127.0.0.1" + b">" * count + b"\r\n"
    elif kind == 5:
        head += b"X-%d: " % count + b'"' + b"\\" * count + b'"\r\n' + b"X: y\r\n z\r\n" * count
    elif kind == 6:
        head += b"Supported: " + b"a," * count + b"b\r\n" + b"Accept: a/b" + b";c=d" * count + b"\r\n"
    else:
        depth = min(count, 500)
        parts = b"".join(
            b"--%d\r\nContent-Type: multipart/mixed;boundary=%d\r\n\r\n" % (n, n + 1) for n in range(depth)
        )
        head += b"Content-Type: multipart/mixed;boundary=0\r\nContent-Length: %d\r\n\r\n" % len(parts)
        return (head + parts)[:60000]
    return (head + b"Content-Length: 0\r\n\r\n")[:60000]


def packet(dice: Random, samples: list[bytes]) -> bytes:
    """A hostile packet for a media port: RTP, RTCP, a digit, or noise."""
    kind = dice.randrange(5)
    if kind == 0:
        return dice.randbytes(dice.choice((1, 2, 11, 12, 13, 172, 1400, 9000)))
    sequence = dice.randrange(65536).to_bytes(2) + dice.randbytes(8)
    if kind == 1:
        return b"\x80\x00" + sequence + bytes(160)
    if kind == 2:  # an event of RFC 4733, ended
        return b"\x80\xe5" + sequence + bytes((dice.randrange(16), 0x8A, 3, 32))
    if kind == 3:  # RTCP: SR, RR, SDES, BYE, APP with any length
        return bytes((0x80 | dice.randrange(32), dice.randrange(200, 208))) + dice.randbytes(
            dice.choice((2, 6, 26, 90))
        )
    sample = bytearray(dice.choice(samples))
    if sample:
        sample[dice.randrange(len(sample))] ^= 1 << dice.randrange(8)
    return bytes(sample)
