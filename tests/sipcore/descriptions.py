"""What the tests of offer/answer share: descriptions in short, and what was agreed in short."""

from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.sdp.offer_answer import NegotiatedLine

RTPMAPS = {
    "0": "PCMU/8000",
    "4": "G723/8000",
    "8": "PCMA/8000",
    "18": "G729/8000",
    "31": "H261/90000",
    "32": "MPV/90000",
    "97": "iLBC/8000",
    "98": "telephone-event/8000",
    "99": "iLBC/8000",
    "101": "telephone-event/8000",
    "110": "telephone-events/8000",
}


def description(who: str, version: int, *lines: str, at: str = "") -> SessionDescription:
    """Alice's or Bob's description in short: "audio 49170 0 97 sendonly", "video 0 31 c=IN IP4 other.example.com"."""
    host = {"alice": "host.atlanta.example.com", "bob": "host.biloxi.example.com"}[who]
    text = [f"v=0\r\no={who} 2890844526 {version} IN IP4 {host}\r\ns=\r\nc=IN IP4 {at or host}\r\nt=0 0"]
    for line in lines:
        line, c, own = line.partition(" c=")
        media, port, *words = line.split()
        numbers = [word for word in words if word.isdigit()]
        text.append(f"m={media} {port} RTP/AVP {' '.join(numbers)}")
        text += [f"c={own}"] if c else []
        text += [f"a=rtpmap:{number} {RTPMAPS[number]}" for number in numbers]
        text += [f"a={word}" for word in words if not word.isdigit()]
    return SessionDescription.parse("\r\n".join(text) + "\r\n")


def short(line: NegotiatedLine) -> str:
    """What was agreed for a line, in short: "sendrecv 97>99 49172" is: we get 97, send 99 to port 49172."""
    if not line.active:
        return "off"
    receive = ",".join(str(codec.payload_type) for codec in line.receive) or str(line.telephone_event_receive)
    send = ",".join(str(codec.payload_type) for codec in line.send) or str(line.telephone_event_send)
    return f"{line.direction.value} {receive}>{send} {line.remote_port}"
