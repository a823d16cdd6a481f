"""The table of lies: what a peer does wrong in SIP, in its description and in RTP. Data only.

A lie that says nothing of a matter behaves there as RFC 3261, 3264, 3550 and 4733 want it. Times are seconds: of a
reply from the arrival of the INVITE, of media and of what the peer does in a call from the arrival of the ACK.
"""

from dataclasses import dataclass
from typing import Final, Literal

FOR_EVER: Final = float("inf")
HOLD: Final = 2.0
"""seconds for which the loads of the table hold their calls; parts of a call are parts of this"""


@dataclass(frozen=True, kw_only=True)
class Media:
    """What the peer sends in RTP."""

    source: Literal["tone", "silence", "constant", "echo", "none"] = "tone"
    """a tone of 400 Hz, digital silence, one octet again and again, what the caller sends, or no packet"""
    begins: float = 0.0
    ends: float = FOR_EVER
    gap: tuple[float, float] = (0.0, 0.0)
    """from and to: nothing is sent, sequence numbers do not count, timestamps do"""
    most: int = 0
    """packets in all; 0 = no limit"""
    honest_first: int = 0
    """packets that leave in order, all and once, before packets are lost, copied or swapped"""
    lose_every: int = 0
    """each n-th packet is not sent, but has a sequence number; 0 = none"""
    copies: int = 1
    """of each packet"""
    swapped: bool = False
    """each pair of packets leaves in the wrong order"""
    timestamps: Literal["run", "frozen", "jump"] = "run"
    """`jump`: on by 1,000,000 after half a second"""
    ssrc_seconds: float = 0.0
    """a new SSRC so often; 0 = never"""
    payload_type: int = -1
    """on the wire, in place of the agreed one; -1 = the agreed one"""
    octets: int = 0
    """of payload in each packet; 0 = as many as 20 ms are; -1 = none"""
    padded: bool = False
    """all of it is padding (RFC 3550 section 5.1)"""
    speed: float = 1
    """so many packets in 20 ms, each of 20 ms"""
    events_beside: bool = False
    """beside each packet of audio one of an event that never ends"""
    received: float = FOR_EVER
    """an RTCP report each half second, which says that nothing was received after this time; FOR_EVER = no reports"""
    at_once: int = 1
    """so many packets together, at the time of the first"""
    crossed: bool = False
    """sent to the port of another call, as long as there is one"""
    other_port: bool = False
    """sent from a port that the description does not name"""
    moves_at: float = FOR_EVER
    """from then on sent from a port that the description does not name"""
    before_answer: bool = False
    """begins when the INVITE comes, which no response describes before the 200"""
    other_host: str = ""
    """sent from this address, which the description does not name"""
    noise: bool = False
    """datagrams that are no RTP between the packets"""
    after_bye: bool = False
    """goes on when the call is over"""
    digits: Literal["echo", "never", "missing", "wrong", "doubled", "late"] = "echo"
    """what comes back for each digit heard (RFC 4733); `missing`: of each pair only the first; `late`: 8 s later"""


@dataclass(frozen=True, kw_only=True)
class Description:
    """The session description of the 200."""

    octets: bytes | None = None
    """all of it; None = a good answer with the changes below"""
    content_type: bytes = b"application/sdp"
    address: str = ""
    """in c=; empty = where the peer is"""
    port: int = -1
    """in m=; -1 = the peer's RTP port"""
    closed: bool = False
    """the port in m= is one at which nobody listens"""
    formats: tuple[int, ...] = ()
    """in m=; empty = the first offered codec that the peer speaks, and telephone-event"""
    maps: tuple[str, ...] = ()
    """values of a=rtpmap that go with them"""
    codecs: bool = True
    """a codec is answered"""
    events: bool = True
    """telephone-event is answered where it was offered"""
    direction: str = "sendrecv"
    of_caller: bool = False
    """the caller's own offer, octet for octet"""
    lines: int = 1
    """m= lines in all"""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One response to the INVITE."""

    status: int = 200
    after: float = 0.0
    reason: bytes = b"As The Table Says"
    headers: tuple[bytes, ...] = ()
    tag: str = "a"
    """To-tags differ with this; empty = no tag"""
    describes: Literal["", "sender"] = ""
    """of a 1xx: a description too, of the port that RTP is sent from; with `Media.other_port`"""
    raw: bytes | None = None
    """the octets of the whole datagram, in place of a response"""


OK: Final = Reply(reason=b"OK")


@dataclass(frozen=True, kw_only=True)
class Lie:
    """One way to misbehave."""

    name: str
    says: str
    """what the peer does, for people"""
    transport: Literal["udp", "tcp"] = "udp"
    host: str = "127.0.0.1"
    door: Literal["open", "closed", "resets", "mute"] = "open"
    """closed: nobody listens at the port; resets: TCP RST at the INVITE; mute: takes everything, says nothing"""
    replies: tuple[Reply, ...] = (OK,)
    description: Description | None = Description()
    media: Media = Media()
    contact: str = ""
    """in the 200; empty = where the peer is"""
    bye: int = 200
    """what answers a BYE; 0 = nothing"""
    bye_after: float = 0.0
    bye_crosses: bool = False
    """on a BYE the peer sends one of its own first"""
    cancel: Literal["refused", "ignored", "answered"] = "refused"
    """refused: 200 and then 487; ignored: nothing; answered: 200 to the CANCEL and 200 to the INVITE, which crossed"""
    deaf_to_ack: bool = False
    """the 200 is repeated as if no ACK had come"""
    never_stops: bool = False
    """the 200 is repeated twice a second, ACK or not, also when the call is over"""
    hangs_up: float = -1.0
    """sends BYE so long after the ACK; -1 = never"""
    reinvites: tuple[tuple[float, str], ...] = ()
    """when the peer offers anew, and with which direction; `removed`: with port 0"""


NO_MEDIA: Final = Media(source="none")


def _refusal(name: str, says: str, status: int, reason: bytes = b"As The Table Says", *headers: bytes) -> Lie:
    return Lie(name=name, says=says, replies=(Reply(status=status, reason=reason, headers=headers),))


def _answer(name: str, says: str, description: Description | None) -> Lie:
    return Lie(name=name, says=says, description=description)


def _media(name: str, says: str, media: Media) -> Lie:
    return Lie(name=name, says=says, media=media)


_TABLE: Final = (
    # ---- no lies: what must pass
    Lie(name="honest", says="answers at once, sends a tone, gives digits back, answers the BYE"),
    Lie(name="honest_echo", says="sends back what it hears", media=Media(source="echo")),
    Lie(name="honest_tcp", says="honest, over TCP", transport="tcp"),
    Lie(name="honest_ipv6", says="honest, at ::1", host="::1"),
    Lie(
        name="honest_rings",
        says="100, 180, and 200 after half a second",
        replies=(Reply(status=100), Reply(status=180), Reply(after=0.5)),
    ),
    Lie(name="honest_refresh", says="offers the same again in the middle of the call", reinvites=((1.0, "sendrecv"),)),
    Lie(
        name="honest_hold",
        says="holds for a second: a re-INVITE with inactive, one with sendrecv, no RTP between",
        reinvites=((0.6, "inactive"), (1.6, "sendrecv")),
    ),
    Lie(name="honest_tagless", says="200 without a tag in To, as RFC 2543 allowed", replies=(Reply(tag=""),)),
    Lie(name="bye_crosses", says="its own BYE crosses the caller's", bye_crosses=True),
    Lie(name="bye_late", says="answers the BYE after 3 s", bye_after=3.0),
    Lie(
        name="deaf_to_ack", says="repeats the 200 as if the ACK were lost, by the timers of RFC 3261", deaf_to_ack=True
    ),
    Lie(name="repeats_200", says="repeats the 200 twice a second, also after ACK and BYE", never_stops=True),
    Lie(name="media_after_bye", says="goes on with RTP when the call is over", media=Media(after_bye=True)),
    Lie(
        name="forks",
        says="two 200 with different tags: two dialogs of one INVITE",
        replies=(OK, Reply(tag="b", after=0.1)),
    ),
    Lie(name="200_then_486", says="486 after the 200", replies=(OK, Reply(status=486, after=0.2))),
    # ---- media
    _media("no_media", "never sends RTP", NO_MEDIA),
    _media("media_stops", "sends RTP for the first fifth of the call", Media(ends=0.2 * HOLD)),
    _media("media_late", "begins RTP when 0.6 of the call are over", Media(begins=0.6 * HOLD)),
    _media(
        "media_gap",
        "no RTP from 0.2 to 0.8 of the call, and no sequence number for it",
        Media(gap=(0.2 * HOLD, 0.8 * HOLD)),
    ),
    _media("one_packet", "one RTP packet and no more", Media(most=1)),
    _media("silence", "RTP all the time, digital silence in it", Media(source="silence")),
    _media("payload_type", "RTP with payload type 77, which nobody offered", Media(payload_type=77)),
    _media("loss", "one packet of ten is missing", Media(lose_every=10)),
    _media("duplicates", "each packet twice", Media(copies=2)),
    _media(
        "loss_hidden",
        "after 0.2 s one packet of two is missing, the others come twice",
        Media(lose_every=2, copies=2, honest_first=10),
    ),
    _media("loss_half", "one packet of two is missing, from the first on", Media(lose_every=2)),
    _media("reordered", "after 0.2 s each pair of packets in the wrong order", Media(swapped=True, honest_first=10)),
    _media("reordered_at_once", "each pair of packets in the wrong order, from the first on", Media(swapped=True)),
    _media("timestamps_frozen", "one timestamp in all packets", Media(timestamps="frozen")),
    _media("timestamps_jump", "timestamps jump on by 1,000,000 once", Media(timestamps="jump")),
    _media("ssrc_change", "a new SSRC in the middle of the call", Media(ssrc_seconds=0.5 * HOLD)),
    _media("ssrc_flutter", "a new SSRC every 100 ms", Media(ssrc_seconds=0.1)),
    _media("payload_short", "payloads of 13 octets where 160 are 20 ms", Media(octets=13)),
    _media("payload_empty", "RTP headers without payload", Media(octets=-1)),
    _media("payload_padding", "RTP packets of nothing but padding", Media(padded=True)),
    _media("other_port", "RTP from a port that its description does not name", Media(other_port=True)),
    _media("port_moves", "RTP from another port from the middle of the call on", Media(moves_at=0.5 * HOLD)),
    Lie(
        name="media_before_answer",
        says="rings for a second and sends RTP from the INVITE on, which nothing describes before the 200",
        replies=(Reply(status=180), Reply(after=1.0)),
        media=Media(before_answer=True),
    ),
    Lie(
        name="media_then_486",
        says="RTP for a second, which nothing describes, and then 486",
        replies=(Reply(status=180), Reply(status=486, after=1.0)),
        media=Media(before_answer=True),
    ),
    Lie(
        name="rtp_closed",
        says="names an RTP port at which nobody listens, and sends RTP from another",
        description=Description(closed=True),
    ),
    Lie(name="rtp_closed_ipv6", says="the same at ::1", host="::1", description=Description(closed=True)),
    Lie(
        name="rtp_moves",
        says="names an RTP port at which nobody listens, and after 0.3 s, by re-INVITE, one at which it listens",
        description=Description(closed=True),
        reinvites=((0.3, "sendrecv"),),
    ),
    _media("other_host", "RTP from 127.0.0.2, its description names 127.0.0.1", Media(other_host="127.0.0.2")),
    _media("constant", "RTP all the time, one octet again and again in it", Media(source="constant")),
    _media("too_fast", "a packet of 20 ms each 10 ms", Media(speed=2)),
    _media(
        "too_slow", "a packet of 20 ms each 22 ms, and no sequence number for what is missing", Media(speed=10 / 11)
    ),
    _media("events_beside", "a telephone-event that never ends, beside the audio", Media(events_beside=True)),
    _media(
        "hears_no_more",
        "reports by RTCP that it received our packets for 0.2 s, lost none of them, and received none since",
        Media(received=0.2),
    ),
    _media("bursts", "50 packets of 20 ms at once, each second", Media(at_once=50)),
    _media("crossed", "sends to the port of another call what is this one's", Media(crossed=True)),
    Lie(
        name="own_description",
        says="answers with the caller's own description, and sends nothing",
        description=Description(of_caller=True),
        media=NO_MEDIA,
    ),
    Lie(
        name="fork_early",
        says="183 with one tag and port, RTP from there; 200 with another tag and port, from which nothing comes",
        replies=(Reply(status=183, tag="b", describes="sender"), Reply(after=0.3)),
        media=Media(other_port=True),
    ),
    Lie(
        name="removes_line",
        says="a re-INVITE with port 0 when 0.15 of the call are over",
        reinvites=((0.15 * HOLD, "removed"),),
    ),
    Lie(
        name="holds_for_good",
        says="a re-INVITE with inactive when a quarter of the call is over, and no other",
        reinvites=((0.25 * HOLD, "inactive"),),
    ),
    _media("noise", "datagrams that are no RTP between the packets", Media(noise=True)),
    # ---- where requests within the call go
    Lie(name="contact_tcp", says="names a Contact on TCP", contact="sip:liar@127.0.0.1:9;transport=tcp"),
    Lie(name="contact_tls", says="names a sips Contact", contact="sips:liar@127.0.0.1:9"),
    Lie(name="contact_ws", says="names a Contact on WebSocket", contact="sip:liar@127.0.0.1:9;transport=ws"),
    Lie(name="contact_ipv6", says="names a Contact on IPv6", contact="sip:liar@[::1]:9"),
    Lie(name="contact_broadcast", says="names a broadcast address", contact="sip:liar@255.255.255.255"),
    Lie(name="contact_nowhere", says="names a port at which nobody listens", contact="sip:liar@%NOWHERE%"),
    # ---- digits
    _media("digits_never", "hears digits and gives none back", Media(digits="never")),
    _media("digits_missing", "gives every other digit back", Media(digits="missing")),
    _media("digits_wrong", "gives other digits back", Media(digits="wrong")),
    _media("digits_doubled", "gives each digit back twice", Media(digits="doubled")),
    _media("digits_late", "gives digits back after 8 s", Media(digits="late")),
    _answer("no_events", "answers without telephone-event and hears no tones", Description(events=False)),
    # ---- descriptions
    _answer("no_description", "200 without a description", None),
    _answer("unreadable", "200 with octets that are no description", Description(octets=b"\x00\xff=\xfe nonsense\r\n")),
    _answer("empty_description", "200 with a description without any m= line", Description(lines=0)),
    _answer("one_line_more", "one m= line more than was offered", Description(lines=2)),
    _answer(
        "wrong_codec", "answers G.729 alone, which was not offered", Description(formats=(18,), maps=("18 G729/8000",))
    ),
    _answer("events_only", "answers telephone-event and no codec", Description(codecs=False)),
    Lie(name="port_0", says="refuses the stream: port 0", description=Description(port=0), media=NO_MEDIA),
    Lie(
        name="address_0",
        says="c=0.0.0.0, the hold of RFC 2543",
        description=Description(address="0.0.0.0"),
        media=NO_MEDIA,
    ),
    Lie(name="inactive", says="answers inactive", description=Description(direction="inactive"), media=NO_MEDIA),
    Lie(
        name="recvonly",
        says="answers recvonly and sends nothing",
        description=Description(direction="recvonly"),
        media=NO_MEDIA,
    ),
    _answer("sendonly", "answers sendonly: it sends and wants nothing", Description(direction="sendonly")),
    Lie(
        name="multicast",
        says="c= with a multicast group",
        description=Description(address="239.1.2.3/1"),
        media=NO_MEDIA,
    ),
    Lie(
        name="other_ip_version",
        says="an IPv6 address answers an IPv4 offer",
        description=Description(address="2001:db8::7"),
        media=NO_MEDIA,
    ),
    # ---- ends
    Lie(name="bye_unanswered", says="never answers a BYE", bye=0),
    Lie(name="bye_481", says="answers each BYE with 481", bye=481),
    Lie(name="bye_500", says="answers each BYE with 500", bye=500),
    Lie(name="bye_603", says="answers each BYE with 603", bye=603),
    Lie(name="hangs_up_early", says="hangs up when a fifth of the call is over", hangs_up=0.2 * HOLD),
    Lie(name="hangs_up_late", says="hangs up when 0.8 of the call are over", hangs_up=0.8 * HOLD),
    Lie(name="hangs_up_at_once", says="hangs up at the ACK", hangs_up=0.0),
    # ---- no answer
    Lie(name="mute", says="takes every message and answers none", door="mute"),
    Lie(name="100_only", says="100 and no more; answers CANCEL", replies=(Reply(status=100),)),
    Lie(name="180_only", says="180 and no more; answers CANCEL", replies=(Reply(status=180),)),
    Lie(
        name="180_ignores_cancel",
        says="180 and no more; does not answer CANCEL",
        replies=(Reply(status=180),),
        cancel="ignored",
    ),
    Lie(name="late_200", says="180; its 200 crosses the CANCEL", replies=(Reply(status=180),), cancel="answered"),
    Lie(
        name="garbage",
        says="octets that are no SIP answer the INVITE",
        replies=(Reply(raw=b"\x00\x01\xffHTTP/1.1 200 OK\r\n\r\n"),),
    ),
    _refusal("status_700", "700, a status that does not exist", 700),
    # ---- refusals
    _refusal("486", "486 Busy Here", 486, b"Busy Here"),
    _refusal("486_latin1", "486 with a reason in Latin-1", 486, b"Occup\xe9"),
    _refusal(
        "486_script",
        "486 with HTML, a formula and 2,000 characters as its reason",
        486,
        b"<script>alert(1)</script>]]>&=cmd|' /C calc'!A0" + 2000 * b"x",
    ),
    _refusal("486_formula", "486 with a formula for spreadsheets as its reason", 486, b"=cmd|' /C calc'!A0"),
    _refusal("486_control", "486 with NUL, ESC and DEL in its reason", 486, b"Busy\x00\x1b[31m\x7fHere"),
    _refusal("486_bare_cr", "486 with a CR alone in its reason", 486, b"Busy\rHere"),
    _refusal("486_no_reason", "486 without a reason", 486, b""),
    _refusal("503", "503 with Retry-After: 3600", 503, b"Service Unavailable", b"Retry-After: 3600"),
    _refusal("302_itself", "302 to the address that was called", 302, b"Moved", b"Contact: <sip:liar@%SELF%>"),
    _refusal("302_nowhere", "302 to a port at which nobody listens", 302, b"Moved", b"Contact: <sip:liar@%NOWHERE%>"),
    _refusal("302_no_contact", "302 without a Contact", 302, b"Moved"),
    _refusal("401_bare", "401 without a challenge", 401),
    _refusal(
        "401_for_ever",
        "401 with a new nonce each time, whatever the credentials",
        401,
        b"Unauthorized",
        b'WWW-Authenticate: Digest realm="liar", nonce="%NONCE%", algorithm=MD5, qop="auth"',
    ),
    _refusal(
        "401_unknown",
        "401 with a scheme that does not exist",
        401,
        b"Unauthorized",
        b'WWW-Authenticate: Fancy realm="liar", token="1"',
    ),
    _refusal(
        "407",
        "407 with a challenge",
        407,
        b"Proxy Authentication Required",
        b'Proxy-Authenticate: Digest realm="liar", nonce="%NONCE%", algorithm=MD5',
    ),
    _refusal("422", "422 with Min-SE: 7200, again and again", 422, b"Session Interval Too Small", b"Min-SE: 7200"),
    _refusal("420", "420 that names no option we asked for", 420, b"Bad Extension", b"Unsupported: nothing"),
    _refusal("491", "491 to a first INVITE", 491),
    _refusal("600", "600", 600),
    _refusal("699", "699, a status without a name", 699),
    # ---- no way there
    Lie(name="udp_closed", says="nobody listens at the UDP port: ICMP port unreachable", door="closed"),
    Lie(name="tcp_refuses", says="nobody listens at the TCP port", door="closed", transport="tcp"),
    Lie(name="tcp_resets", says="takes the connection and resets it at the INVITE", door="resets", transport="tcp"),
    Lie(name="tcp_mute", says="takes connection and INVITE and says nothing", door="mute", transport="tcp"),
)
LIES: Final = {lie.name: lie for lie in _TABLE}
