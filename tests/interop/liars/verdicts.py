"""The table of verdicts: what `sipswarm load` must say of each lie under each set of expectations. Data only.

Written from the RFCs and from what docs/cli.md and docs/verdict.md promise. The rule before all others: no
cell is green that ought not to be. Where two names say a thing equally well, a cell gives both.
"""

from dataclasses import dataclass
from typing import Final

from .lies import HOLD

CALLS: Final = 2
PLAN: Final = ("-m", str(CALLS), "-r", "10")
HOLDS: Final = (*PLAN, "-d", f"{HOLD:g}s", "--media", "tone:440")

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "nothing": HOLDS,
    "media": (*HOLDS, "--expect-media"),
    "audio": (*HOLDS, "--expect-audio"),
    "mos": (*HOLDS, "--expect-mos", "4"),
    "digits": (*HOLDS, "--dtmf", "12", "--expect-dtmf", "="),
    "code": (*HOLDS, "--expect-code", "486"),
    "answered": (*HOLDS, "--threshold", "answered>=0.9"),
    "strict": (*HOLDS, "--threshold", "answered>=0.9", "--fail-on-error"),
    "completed": (*HOLDS, "--threshold", "completed>=0.9"),
    "figures": (*HOLDS, "--threshold", "loss.max<0.05", "--threshold", "mos.p5>4", "--threshold", "one_way<=0"),
    "holds": (*HOLDS, "--expect-media", "--threshold", "hold_share.max<0.5"),
    "ring": (*HOLDS, "--ring-time", "1s"),
    "password": (*HOLDS, "--auth-user", "alice", "--auth-password-file", "%PASSWORD%"),
    "ports": (*HOLDS, "--rtp-ports", "%PORTS%"),
    "scenario": (*PLAN, "--scenario", "%SCENARIO%:expects_404"),
    "broken": (*PLAN, "--scenario", "%SCENARIO%:fails"),
}
"""expectations by name: the arguments of load. %PORTS% are the ports of one call, %SCENARIO% is the file below"""

SCENARIO: Final = '''"""A scenario that expects a refusal by 404, and one that is broken."""

from sipswarm import CallRejected


async def expects_404(ua, row):
    try:
        await ua.invite(ua.target)
    except CallRejected as refused:
        assert refused.status == 404, f"refused with {refused}"


async def fails(ua, row):
    await ua.invite(ua.target)
    row["no such column"].strip()
'''

EXIT_CODES: Final = {
    "passed": 0,
    "calls_failed": 1,
    "not_closed": 3,
    "nothing_sent": 97,
    "untrustworthy": 98,
    "thresholds_failed": 99,
    "plan_failed": 107,
}
SUT, GENERATOR, PLAN_BLAME = "sut", "generator", "plan"
BLAMES: Final = (SUT, GENERATOR, PLAN_BLAME)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is right for one lie under one set of expectations."""

    lie: str
    column: str
    verdict: str = "passed"
    failure: tuple[str, ...] = ()
    """names of which any one is right, of every failed call; with … at its end: how the name begins"""
    count: int = 0
    """failed calls"""
    blame: str = ""
    """of the failed calls"""
    why: str = ""
    """the rule, or the decision where there is none"""
    within: float = 0.0
    """seconds in which the run must be over; 0 = its plan, hold and 64·T1, and time to start"""
    slow: bool = False
    """half a minute long, and left to the slow tests"""

    @property
    def name(self) -> str:
        """Lie and column."""
        return f"{self.lie}-{self.column}"

    @property
    def exit_code(self) -> int:
        """Of the process."""
        return EXIT_CODES[self.verdict]


RING_IN: Final = 20.0
"""seconds for a run whose calls are given up after 1 s of ringing: starting, 1 s, ending; far below Timer B"""


def _passes(lie: str, columns: str, why: str = "", *, slow: bool = False) -> list[Cell]:
    return [Cell(lie=lie, column=each, why=why, slow=slow) for each in columns.split()]


def _fails(
    lie: str,
    columns: str,
    failure: str,
    why: str = "",
    *,
    verdict: str = "calls_failed",
    blame: str = SUT,
    count: int = CALLS,
    within: float = 0.0,
    slow: bool = False,
) -> list[Cell]:
    return [
        Cell(
            lie=lie,
            column=each,
            verdict=verdict,
            failure=tuple(failure.split("|")) if failure else (),
            count=count if failure else 0,
            blame=blame if failure else "",
            why=why,
            within=within,
            slow=slow,
        )
        for each in columns.split()
    ]


_OVER: Final = "thresholds_failed"
_UNUSABLE: Final = "RFC 3264 6: such an answer cannot be used; the call ends by the caller's hand and lasts no hold"
_LEGAL: Final = "RFC 3264 6.1 allows the answer; decision: who expects no media is content"
_REFUSED: Final = "another final response than 200"
_NO_PASSWORD: Final = "RFC 3261 22.1: it asks for a password, and the plan has none"
_NEVER_RINGS_ON: Final = "no final response within --ring-time"
_CLOSED: Final = "the call was as planned, but who lost it refused the BYE; only a 2xx confirms"

_TABLE: Final = (
    # ---- what must pass
    *_passes("honest", "nothing media audio mos digits completed figures strict"),
    *_fails("honest", "code", "code", "200 is not 486"),
    *_fails(
        "honest",
        "ports",
        "no_port",
        "one of two calls that overlap has no RTP port",
        verdict="untrustworthy",
        blame=GENERATOR,
        count=1,
    ),
    *_fails("honest", "broken", "scenario_error", "the scenario raises", verdict="plan_failed", blame=PLAN_BLAME),
    *_passes("honest_echo", "media audio digits"),
    *_passes("honest_tcp", "media"),
    *_passes("honest_ipv6", "media"),
    *_passes("honest_rings", "ring", "answered before the ring time"),
    *_passes("honest_refresh", "media"),
    *_passes("honest_hold", "media figures", "while a side holds no media is due"),
    *_passes("honest_tagless", "completed", "RFC 3261 12.1.2: a UAC must be prepared for it"),
    *_passes("bye_crosses", "completed", "RFC 3261 15: both ended it"),
    *_passes("bye_late", "completed", "late is not never"),
    *_passes("deaf_to_ack", "completed", "RFC 3261 13.2.2.4: each 200 gets its ACK"),
    *_passes("repeats_200", "completed", "the run ends all the same"),
    *_passes("media_after_bye", "media", "what comes after the end is not the call's"),
    *_passes("forks", "media completed", "RFC 3261 13.2.2.4: every 200 gets an ACK, all but one dialog a BYE"),
    *_passes("200_then_486", "completed", "RFC 3261 17.1.1: the INVITE had its final response"),
    # ---- media
    *_passes("no_media", "nothing answered", "decision: nothing was expected of media"),
    *_fails("no_media", "media audio mos", "one_way", "sent and nothing received"),
    *_fails(
        "no_media",
        "figures",
        "",
        "one_way, and no MOS: a figure for which nothing was counted has failed",
        verdict=_OVER,
    ),
    *_passes("media_stops", "nothing", "decision: nothing was expected of media"),
    *_fails("media_stops", "media", "media_share|one_way", "media for a fifth of the time in which it was due"),
    *_fails("media_stops", "audio", "audio|media_share|one_way", "for most of the call nothing was to be heard"),
    *_fails("media_stops", "mos", "mos|media_share|one_way", "what never came is lost"),
    *_fails("media_stops", "figures", "", "what never came is lost", verdict=_OVER),
    *_fails("media_late", "media", "media_share", "media for 0.4 of the time"),
    *_fails("media_late", "mos", "mos|media_share", "what never came is lost"),
    *_fails("media_late", "figures", "", "what never came is lost", verdict=_OVER),
    *_fails("media_gap", "media", "media_share", "media for 0.4 of the time"),
    *_fails("media_gap", "mos", "mos|media_share", "what never came is lost"),
    *_fails("media_gap", "figures", "", "what never came is lost, whatever the sequence numbers say", verdict=_OVER),
    *_fails("one_packet", "media audio", "one_way|media_share|audio", "one packet is no media"),
    *_passes("silence", "nothing media", "packets came; --expect-audio asks for more"),
    *_fails("silence", "audio", "audio", "nothing was to be heard"),
    *_passes("constant", "media", "packets came; --expect-audio asks for more"),
    *_fails("constant", "audio", "audio", "0 Hz is outside of what a telephone carries"),
    *_passes("too_fast", "media", "decision: all that was due came, and more"),
    *_fails("too_fast", "mos", "mos", "half of it cannot be played in its time"),
    *_fails("too_slow", "figures", "", "one packet of eleven was never sent", verdict=_OVER),
    *_passes("events_beside", "mos", "RFC 4733 allows events beside audio: nothing is missing"),
    *_fails(
        "hears_no_more", "media", "one_way", "RFC 3550 6.4.1: what was sent after the highest number did not arrive"
    ),
    *_fails("bursts", "media mos", "media_share|mos", "all but the first of each second comes too late or too early"),
    *_fails("crossed", "media audio", "one_way", "it comes from a port that another call describes"),
    *_fails("own_description", "media audio mos", "one_way", "RFC 3550 8.2: our own packets are a loop"),
    *_fails("fork_early", "media", "one_way", "RFC 3261 12.1: RTP of another dialog"),
    *_passes("removes_line", "nothing", "RFC 3264 8.2 allows it; decision: who expects no media is content"),
    *_fails("removes_line", "media audio", "media_removed", "no media was left for most of the call"),
    *_passes("holds_for_good", "media", "decision: a hold is legal, however long; `hold_share` has its share"),
    *_fails("holds_for_good", "holds", "", "three quarters of the call were on hold", verdict=_OVER),
    *_fails("payload_type", "media audio", "one_way", "RFC 3264 6.1: no packet of the agreed formats came"),
    *_passes("loss", "nothing", "decision: nothing was expected of media"),
    *_fails("loss", "mos", "mos", "G.107: PCMU and 10 % loss are below 4"),
    *_fails("loss", "figures", "", "10 % is more than 5 %", verdict=_OVER),
    *_passes("duplicates", "media figures", "RFC 3550 A.3: what comes twice counts once for loss"),
    *_fails("loss_hidden", "mos", "mos|media_share", "copies do not make up for what is missing"),
    *_fails("loss_hidden", "figures", "", "copies do not make up for what is missing", verdict=_OVER),
    *_fails("loss_half", "media", "media_share|one_way", "half of the packets"),
    *_fails("loss_half", "figures", "", "half of the packets", verdict=_OVER),
    *_passes("reordered", "media", "all of them came"),
    *_passes("reordered_at_once", "media", "all of them came"),
    *_passes("timestamps_frozen", "nothing media", "packets came all the time"),
    *_passes("timestamps_jump", "media", "RFC 3550 5.1 does not forbid it"),
    *_passes("ssrc_change", "media", "RFC 3550 8.2: a sender may change its SSRC"),
    *_passes("ssrc_flutter", "nothing", "decision: nothing was expected of media"),
    *_passes("payload_short", "nothing", "decision: nothing was expected of media"),
    *_fails("payload_short", "audio", "audio|media_share", "a twelfth of the audio came"),
    *_fails("payload_short", "figures", "", "a twelfth of the audio came", verdict=_OVER),
    *_fails("payload_empty", "media audio mos", "audio|media_share|mos|one_way|silent", "no octet of audio came"),
    *_fails("payload_empty", "figures", "", "no octet of audio came", verdict=_OVER),
    *_fails("payload_padding", "media audio mos", "audio|media_share|mos|one_way|silent", "no octet of audio came"),
    *_fails("payload_padding", "figures", "", "no octet of audio came", verdict=_OVER),
    *_passes("other_port", "media", "RFC 3264 5.1: the port in m= is where one receives"),
    *_passes("port_moves", "media figures", "RFC 3264 5.1: the port in m= is where one receives"),
    *_passes("media_before_answer", "media mos figures", "before the answer no media is due"),
    *_fails("media_then_486", "media", "code", _REFUSED),
    *_passes("rtp_closed", "nothing", "decision: nothing was expected of media"),
    *_fails("rtp_closed", "media audio mos", "media_unreachable", "RFC 1122 4.1.3.3: ICMP says so of every packet"),
    *_fails("rtp_closed", "figures", "", "one_way: nobody took what was sent", verdict=_OVER),
    *_fails("rtp_closed_ipv6", "media", "media_unreachable", "RFC 4443 3.1"),
    *_passes("rtp_moves", "media", "nobody listens for less than 0.5 s: a socket that opens late"),
    *_fails("other_host", "media", "one_way", "decision: RTP of a host that no description names is a stranger's"),
    *_passes("noise", "media figures", "what is no RTP is no loss"),
    # ---- where requests within the call go
    *(
        each
        for name in ("tcp", "tls", "ws", "ipv6")
        for each in _fails(f"contact_{name}", "nothing", "bad_contact", "RFC 3261 12.1.2: no way leads there from UDP")
    ),
    *_fails(
        "contact_broadcast", "nothing", "forbidden_address", "decision: no peer needs requests to a broadcast address"
    ),
    *_fails("contact_nowhere", "nothing", "unreachable|transport_error|ended_early", "RFC 3261 18.4"),
    # ---- digits
    *_fails("digits_never", "digits", "digits"),
    *_passes("digits_never", "nothing", "no digit was expected"),
    *_fails("digits_missing", "digits", "digits"),
    *_fails("digits_wrong", "digits", "digits"),
    *_fails("digits_doubled", "digits", "digits"),
    *_fails("digits_late", "digits", "digits", "not within the call"),
    *_fails("no_events", "digits", "digits", "digits as tones, and nothing comes back"),
    # ---- descriptions
    *_fails("no_description", "nothing media", "bad_description", "RFC 3261 13.2.1: the 2xx must hold the answer"),
    *_fails("unreadable", "nothing strict", "bad_description", _UNUSABLE),
    *_fails("unreadable", "completed", "bad_description", "a call of 0 s is not completed", verdict=_OVER),
    *_fails("empty_description", "nothing", "bad_description", _UNUSABLE),
    *_fails("one_line_more", "nothing media", "bad_description", _UNUSABLE),
    *_fails("wrong_codec", "nothing media", "bad_description", "RFC 3264 6.1: no format of the offer in the answer"),
    *_fails("multicast", "nothing", "bad_description", "decision: a group does not answer a unicast offer"),
    *_fails("multicast", "media", "bad_description"),
    *_fails("other_ip_version", "nothing", "bad_description", "decision: nothing can be sent there"),
    *_fails("other_ip_version", "media", "bad_description"),
    *_fails("events_only", "nothing media", "bad_description", "decision: events without a codec are no audio"),
    *_passes("port_0", "nothing", _LEGAL),
    *_fails("port_0", "media audio mos", "silent", "the stream was refused"),
    *_passes("address_0", "nothing", _LEGAL),
    *_fails("address_0", "media", "silent", "on hold from the start"),
    *_passes("inactive", "nothing", _LEGAL),
    *_fails("inactive", "media", "silent"),
    *_passes("recvonly", "nothing", _LEGAL),
    *_fails("recvonly", "media", "one_way"),
    *_passes("sendonly", "nothing", _LEGAL),
    *_fails("sendonly", "media", "one_way", "both directions are expected"),
    # ---- ends
    *_fails("bye_481", "nothing", "bye_refused", _CLOSED, verdict="not_closed"),
    *_fails(
        "bye_481", "answered", "bye_refused", "thresholds hold, the end is still not confirmed", verdict="not_closed"
    ),
    *_fails("bye_481", "completed", "bye_refused", "none was completed", verdict=_OVER),
    *_fails("bye_481", "strict", "bye_refused", _CLOSED, verdict="not_closed"),
    *_fails("bye_500", "nothing", "bye_refused", _CLOSED, verdict="not_closed"),
    *_fails("bye_603", "nothing", "bye_refused", _CLOSED, verdict="not_closed"),
    *_fails("bye_unanswered", "nothing", "bye_unanswered", "Timer F ran out", verdict="not_closed", slow=True),
    *_fails("bye_unanswered", "completed", "bye_unanswered", "none was completed", verdict=_OVER, slow=True),
    *_fails("hangs_up_early", "nothing strict media", "ended_early"),
    *_fails("hangs_up_early", "answered", "ended_early", "thresholds decide, and all were answered", verdict="passed"),
    *_fails("hangs_up_late", "nothing", "ended_early", "0.4 s of 2 s are missing"),
    *_fails("hangs_up_at_once", "nothing", "ended_early"),
    *_fails("hangs_up_at_once", "completed", "ended_early", "a call of 0 s is not completed", verdict=_OVER),
    # ---- no answer
    *_fails("mute", "ring", "timeout", "the user waits 1 s, also when no 1xx comes", within=RING_IN),
    *_fails("mute", "nothing", "timeout", "Timer B ran out", slow=True),
    *_fails("mute", "answered", "timeout", "", verdict=_OVER, slow=True),
    *_fails("100_only", "ring", "timeout", _NEVER_RINGS_ON, within=RING_IN),
    *_fails("180_only", "ring", "timeout", _NEVER_RINGS_ON, within=RING_IN),
    *_fails("180_ignores_cancel", "ring", "timeout", "RFC 3261 9.1: 64·T1 after the CANCEL at the most", slow=True),
    *_fails(
        "late_200",
        "ring",
        "timeout",
        "RFC 3261 9.1 and 15: the 200 gets ACK and BYE; the user had given up",
        within=RING_IN,
    ),
    *_fails("garbage", "ring", "timeout", "no response was received", within=RING_IN),
    *_fails("status_700", "ring", "timeout|code", "RFC 3261 7.2: there is no such class", within=RING_IN),
    # ---- refusals
    *_fails("486", "nothing", "code", _REFUSED),
    *_passes("486", "code", "what was expected"),
    *_fails("486", "answered strict", "code", _REFUSED, verdict=_OVER),
    *_passes("486_latin1", "code", "a reason is text for people; 486 is what counts"),
    *_fails("486_latin1", "nothing", "code", _REFUSED),
    *_fails(
        "486_latin1", "scenario", "refused with…", "the assertion's text, with a peer's octets in it", within=RING_IN
    ),
    *_fails("486_script", "nothing", "code", _REFUSED),
    *_fails("486_formula", "nothing", "code", _REFUSED),
    *_fails("486_control", "nothing", "code", _REFUSED),
    *_fails(
        "486_bare_cr", "ring", "timeout|code", "RFC 3261 7.3.1: no line ends so; discarded, or read", within=RING_IN
    ),
    *_passes("486_no_reason", "code"),
    *_fails("503", "nothing", "code", "nobody waits for Retry-After", within=RING_IN),
    *_fails("302_itself", "nothing", "code", "RFC 3261 8.1.3.4: no URI is tried twice", within=RING_IN),
    *_fails("302_nowhere", "ring", "code|timeout|unreachable", _REFUSED, within=RING_IN),
    *_fails("302_no_contact", "nothing", "code", _REFUSED),
    *_fails("401_bare", "nothing", "code", "RFC 3261 22.1: no password could answer it"),
    *_fails("401_for_ever", "nothing", "no_credentials", _NO_PASSWORD, verdict="plan_failed", blame=PLAN_BLAME),
    *_fails(
        "401_for_ever",
        "password",
        "credentials_refused",
        "RFC 3261 22.1: credentials that were refused are not tried again",
        within=RING_IN,
    ),
    *_fails("401_unknown", "password", "code", "no password could answer it"),
    *_fails("407", "nothing", "no_credentials", _NO_PASSWORD, verdict="plan_failed", blame=PLAN_BLAME),
    *_fails("422", "nothing", "code", "not asked again for ever", within=RING_IN),
    *_fails("420", "nothing", "code", "not asked again for ever", within=RING_IN),
    *_fails("491", "nothing", "code", _REFUSED, within=RING_IN),
    *_fails("600", "nothing", "code", _REFUSED),
    *_fails("699", "nothing", "code", _REFUSED),
    # ---- no way there
    *_fails("udp_closed", "ring", "timeout|unreachable", "an INVITE left, and nobody answered", within=RING_IN),
    *_fails("tcp_refuses", "nothing", "unreachable", "no INVITE left", verdict="nothing_sent", within=RING_IN),
    *_fails("tcp_resets", "nothing", "transport_error|code", "the INVITE had left: not `nothing_sent`", within=RING_IN),
    *_fails("tcp_mute", "ring", "timeout", _NEVER_RINGS_ON, within=RING_IN),
)
CELLS: Final = {cell.name: cell for cell in _TABLE}

_MORE: Final = {
    "honest": "audio mos completed strict",
    "honest_echo": "media audio",
    "forks": "completed",
    "no_media": "answered audio mos",
    "media_stops": "nothing",
    "media_late": "mos figures",
    "media_gap": "mos",
    "one_packet": "audio",
    "silence": "nothing",
    "constant": "media",
    "too_fast": "media",
    "crossed": "audio",
    "own_description": "audio mos",
    "removes_line": "nothing audio",
    "payload_type": "audio",
    "rtp_closed": "nothing audio mos",
    "port_moves": "media",
    "media_before_answer": "media figures",
    "loss": "nothing",
    "duplicates": "media",
    "loss_hidden": "mos",
    "loss_half": "figures",
    "reordered": "media",
    "timestamps_frozen": "nothing",
    "ssrc_flutter": "nothing",
    "payload_short": "nothing",
    "noise": "media",
    "digits_never": "nothing",
    "no_description": "media",
    "unreadable": "strict",
    "one_line_more": "media",
    "wrong_codec": "media",
    "multicast": "media",
    "other_ip_version": "media",
    "events_only": "media",
    "address_0": "nothing",
    "inactive": "nothing",
    "recvonly": "nothing",
    "sendonly": "nothing",
    "port_0": "audio mos",
    "bye_481": "strict",
    "bye_500": "nothing",
    "bye_603": "nothing",
    "hangs_up_early": "strict media",
    "hangs_up_at_once": "nothing",
    "garbage": "ring",
    "486": "strict",
    "486_latin1": "code",
    "486_no_reason": "code",
    "302_no_contact": "nothing",
    "401_bare": "nothing",
    "401_for_ever": "nothing",
    "407": "nothing",
    "420": "nothing",
    "600": "nothing",
}
MORE: Final = frozenset(f"{lie}-{column}" for lie, columns in _MORE.items() for column in columns.split())
"""cells whose kind another one shows as well: left to the slow tests, so that the gate stays short"""
