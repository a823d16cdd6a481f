"""Why a call did not do what was planned: the one list of reasons, each with who is to blame. Pure data.

Rows, verdicts, reports, JUnit and metrics take their names from here. A reason that is not in the list is the text of
an assertion of the user's scenario: an expectation of the system under test, in the user's own words. `free_text` keeps
such a text apart from the names of the list.
"""

from enum import Enum
from typing import Final, NamedTuple

from sipswarm.sipcore.message.hop import Hop

from .offer_warnings import ANSWER_OF_NO_USE, warning
from .request_loss import Loss


class Blame(Enum):
    """Who has to change something before the call can pass."""

    SUT = "sut"
    """The system under test: its answer, its media, its silence."""
    GENERATOR = "generator"
    """This machine or this program: a port, a descriptor, an address, a process that was lost."""
    PLAN = "plan"
    """The plan or the user's scenario."""


class Reason(NamedTuple):
    """One way to fail."""

    blame: Blame
    words: str
    """What happened, to a reader of the verdict; where it is a local one, also how to mend it."""


_SUT, _GENERATOR, _PLAN = Blame.SUT, Blame.GENERATOR, Blame.PLAN

REASONS: Final[dict[str, Reason]] = {
    "code": Reason(_SUT, "another final response than expected"),
    "timeout": Reason(_SUT, "no final response in time"),
    "unreachable": Reason(_SUT, "no connection to the target came about, or its port takes no datagrams"),
    "bad_contact": Reason(
        _SUT,
        "the address that the other side named for requests within the call leads nowhere from here; its transport and "
        "IP version need a listener (-t, --listen)",
    ),
    "forbidden_address": Reason(
        _SUT,
        "the other side named an address in a network that is not sent to; --send-to permits networks",
    ),
    "transport_error": Reason(_SUT, "the connection was lost"),
    "bad_description": Reason(_SUT, "the session description of the other side cannot be used"),
    "ended_early": Reason(_SUT, "the other side hung up before the hold was over"),
    "no_ack": Reason(_SUT, "the other side did not acknowledge our 2xx to its INVITE (no ACK)"),
    "session_expired": Reason(_SUT, "the session was not refreshed in time (RFC 4028)"),
    "dialog_gone": Reason(_SUT, "the other side no longer knew the dialog (481 or 408 within the call)"),
    "one_way": Reason(_SUT, "media came in one direction only"),
    "media_unreachable": Reason(
        _SUT, "nobody took our media at the address and port that the other side named (ICMP unreachable)"
    ),
    "silent": Reason(_SUT, "no media came"),
    "media_removed": Reason(_SUT, "the other side removed the media line (port 0) for most of the call"),
    "media_share": Reason(_SUT, "media came for less than the expected share of the call"),
    "loss": Reason(_SUT, "too many packets were lost"),
    "mos": Reason(_SUT, "the MOS was below the expected one"),
    "audio": Reason(_SUT, "the received audio was not audible"),
    "digits": Reason(_SUT, "the expected digits did not come, or others came"),
    "digits_not_sent": Reason(_SUT, "what was negotiated let our digits not leave, or not all of them"),
    "bye_refused": Reason(_SUT, "our BYE was refused"),
    "bye_unanswered": Reason(_SUT, "our BYE was not answered"),
    "credentials_refused": Reason(
        _SUT, "user and password were sent, and challenged again (401 or 407): they, or the other side, are wrong"
    ),
    "lapsed": Reason(
        _SUT,
        "a registration or subscription ended before its time: a refresh was refused or not answered, or the other "
        "side ended it",
    ),
    "removal_refused": Reason(_SUT, "the removal of a registration, or the end of a subscription, was refused"),
    "removal_unanswered": Reason(_SUT, "the removal of a registration, or the end of a subscription, was not answered"),
    "unexpected_message": Reason(_SUT, "a message came that the scenario file did not expect; the log has its line"),
    "recv_timeout": Reason(_SUT, "a message that the scenario file waits for did not come in time"),
    "max_retrans": Reason(_SUT, "a message of the scenario file was repeated as often as it may be, and not answered"),
    "regexp": Reason(_SUT, "an expression of the scenario file did not match (check_it)"),
    "regexp_matched": Reason(_SUT, "an expression of the scenario file matched (check_it_inverse)"),
    "header_missing": Reason(_SUT, "a header that the scenario file looks into was not there"),
    "test": Reason(_SUT, "a comparison of numbers in the scenario file failed"),
    "strcmp": Reason(_SUT, "a comparison of texts in the scenario file failed"),
    "error": Reason(_SUT, "the scenario file ended the call by its action error; the log has its text"),
    "stopped": Reason(_SUT, "the scenario file stopped the call by int_cmd stop_call"),
    "no_port": Reason(_GENERATOR, "no RTP port was free; widen --rtp-ports, or lower the rate or the hold"),
    "no_descriptor": Reason(_GENERATOR, "no file descriptor was free; raise ulimit -n"),
    "no_address": Reason(_GENERATOR, "the local address cannot be used; look at --listen"),
    "no_transport": Reason(_GENERATOR, "this machine could not send; look at its routes, sockets and memory"),
    "media_limit": Reason(_GENERATOR, "a media worker took no more streams; add --media-workers"),
    "media_lost": Reason(_GENERATOR, "the media worker of the call was lost"),
    "media_interrupted": Reason(
        _GENERATOR, "the media worker of the call was lost; its media went on at another one, with a gap"
    ),
    "stood_still": Reason(
        _GENERATOR, "a process of sipswarm stood still for more than 0.5 s of the call, which explains what it missed"
    ),
    "network_down": Reason(
        _GENERATOR,
        "the network of this machine was away in the call (an interface that was down, or RTP that the system refused "
        "to send), which explains what it missed",
    ),
    "media_overload": Reason(_GENERATOR, "a media worker took no more commands; add --media-workers"),
    "media_failed": Reason(_GENERATOR, "a local media stream failed"),
    "overload": Reason(_GENERATOR, "the call worker took no more calls; raise --max-calls or --call-workers"),
    "not_started": Reason(_GENERATOR, "the call was planned and never started"),
    "worker_lost": Reason(_GENERATOR, "the call worker of the call, or its record, was lost; the log says why"),
    "unreported": Reason(_GENERATOR, "the call was started, and its worker was lost with what it knew of the call"),
    "cut_short": Reason(_GENERATOR, "the call was ended here before the hold was over"),
    "internal_error": Reason(_GENERATOR, "our own code failed; the log has its traceback"),
    "media_refused": Reason(_PLAN, "a file or source of the call's media could not be used; the log says which"),
    "limit": Reason(_PLAN, "the scenario wanted more calls at the same time than -l allows; raise -l"),
    "drained": Reason(_PLAN, "the call was given up because the run ended"),
    "max_call_time": Reason(_PLAN, "the call was ended by --max-call-time; raise it, or lower the hold"),
    "run_time": Reason(_PLAN, "the run of the scenario took longer than --run-time, and was cancelled"),
    "no_credentials": Reason(
        _PLAN,
        "the other side demands user and password (401 or 407), and the load has none for it; give --auth-user and "
        "--auth-password-file, or columns user and password of --data",
    ),
    "message_too_long": Reason(
        _PLAN, "a message of the scenario file is longer than a datagram can be; send it over TCP (-t tcp)"
    ),
    "command_lost": Reason(
        _PLAN, "a scenario file waited for a command (recvCmd) of the other file of its call, which had ended"
    ),
    "scenario_error": Reason(_PLAN, "the scenario or a callback raised an exception; the log has its line"),
}
"""By name, as it stands in rows, summaries and label values."""

WITHOUT_ROW: Final = ("not_started", "unreported")
"""Of calls that no call worker has: they are in the verdict, and in no row and no metric."""

OTHER_TEXTS: Final = "other expectations"
"""Stands for the texts of assertions beyond the number that is counted one by one."""

NOT_CLOSED: Final = frozenset({"bye_refused", "bye_unanswered", "removal_refused", "removal_unanswered"})
"""The call did what was planned, but its end was not confirmed by the other side."""

CREDENTIALS_REFUSED: Final = "credentials_refused"
LAPSED: Final = "lapsed"
MEDIA_REFUSED: Final = "media_refused"
NO_CREDENTIALS: Final = "no_credentials"
SCENARIO_ERROR: Final = "scenario_error"
OF_CHALLENGES: Final = frozenset({CREDENTIALS_REFUSED, NO_CREDENTIALS})
"""What a 401 or 407 that ended a request is by name."""
FILE_REFUSALS: Final = frozenset({"no_file", "bad_file"})
"""What a media worker reports of a stream whose file cannot be played."""
OF_CAUSE: Final[dict[str, str]] = {
    "bad_description": "bad_description",
    "no_ack": "no_ack",
    "session_expired": "session_expired",
    "max_call_time": "max_call_time",
    "dialog_gone": "dialog_gone",
    "unreachable": "unreachable",
    "refused": "unreachable",
    "transport": "transport_error",
    "local_transport": "no_transport",
    "too_long": "no_transport",
    "no_way": "no_transport",
    "forbidden": "forbidden_address",
    "no_port": "no_port",
    "no_descriptor": "no_descriptor",
    "bad_address": "no_address",
    "limit": "media_limit",
    "duplicate": "internal_error",
    "media_worker_lost": "media_lost",
    "worker_lost": "worker_lost",
    "media_overload": "media_overload",
    "failed": "media_failed",
    "closed": "media_failed",
    "internal_error": "internal_error",
    "drained": "drained",
    MEDIA_REFUSED: MEDIA_REFUSED,
    SCENARIO_ERROR: SCENARIO_ERROR,
}
"""The reason that the cause of a call's end is by itself, whatever was expected of the call."""


_TOO_SHORT: Final = ("ended_early", "cut_short")


def with_detail(name: str, detail: str) -> str:
    """A name of a closed set and what it does not say, for people."""
    return f"{name}: {detail}" if detail else name


def cause_of(refusal: str, detail: str) -> tuple[str, str]:
    """Cause and detail of the end of a call whose stream was refused. refusal, detail: of the media worker."""
    if refusal in FILE_REFUSALS:
        return MEDIA_REFUSED, with_detail(refusal, detail)
    return refusal, detail


def refusal_of(cause: str, local: Hop) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    """Status, reason phrase and headers for a caller whose call ends by such a cause before it is answered.

    503 with Retry-After for what passes by itself; 500 for a file that a person has to mend (RFC 3261 section 21.5);
    488 for an answer of the caller's, in a PRACK, that nothing can be made of (21.4.26).

    Args:
        local: who warns.
    """
    reason = reason_of(cause)
    if reason == MEDIA_REFUSED:
        return 500, "", ()
    if reason == "bad_description":
        return 488, "", warning(local, *ANSWER_OF_NO_USE)
    return 503, "", (("Retry-After", "5"),)


def is_completed(closed: str, cause: str, failure: str) -> bool:
    """Whether an answered call was held as planned and torn down cleanly: its end was confirmed.

    Args:
        closed, cause, failure: of its `CallFinished`.
    """
    return closed == "confirmed" and not reason_of(cause) and failure not in _TOO_SHORT


def reason_of(cause: str, *, answered: bool = False) -> str:
    """The failure that a cause of a call's end is by itself; empty = none, as for a BYE or a final response.

    Args:
        answered: the call was, so that its target had been reached.
    """
    if answered and cause == Loss.NO_WAY.value:
        return "bad_contact"
    return OF_CAUSE.get(cause, "")


def free_text(text: str) -> str:
    """A failure in a user's words; one that is spelled like a name of the list says that it is none."""
    return f"assertion: {text}" if text in REASONS or text == OTHER_TEXTS else text


def blame_of(reason: str) -> Blame:
    """Who is to blame for a failure; a reason outside the list is an assertion about the system under test."""
    known = REASONS.get(reason)
    return known.blame if known is not None else Blame.SUT


def words_of(reason: str) -> str:
    """What a failure means, in words; an assertion is its own text."""
    known = REASONS.get(reason)
    return known.words if known is not None else reason
