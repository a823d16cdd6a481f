"""The closed sets of label values: what a metric may be cut by, and nothing else (METRICS, rules).

What is outside a set is counted as `other`. Sets that a peer's octets are held against are the registries of IANA. Pure
data; `actors.counting.table` has the labels of each metric.
"""

from typing import Final

from sipswarm.sipcore.leniency import Leniency

from ..diagnosis.failure_reasons import REASONS, WITHOUT_ROW, Blame

OTHER: Final = "other"
"""The value that stands for every one outside a closed set."""
DIRECTIONS: Final = ("sent", "received")
ROLES: Final = ("uac", "uas")
OUTCOMES: Final = (
    "answered",
    "busy",
    "unavailable",
    "declined",
    "refused",
    "redirected",
    "server_error",
    "timeout",
    "cancelled",
    "transport_error",
    "not_sent",
)
FAILURES: Final = tuple(each for each in REASONS if each not in WITHOUT_ROW)
"""`other` stands for the texts of scenarios' assertions."""
BLAMES: Final = tuple(each.value for each in Blame)
ENDED_BY: Final = ("local", "remote", "expired")
CALL_STATES: Final = ("setup", "early", "established", "terminating")
METHODS: Final = (
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "PRACK",
    "UPDATE",
    "INFO",
    "REFER",
    "NOTIFY",
    "SUBSCRIBE",
    "MESSAGE",
    "PUBLISH",
)
"""The IANA registry of SIP methods."""
_IANA_CODES = """
    100 180 181 182 183 199 200 202 204 300 301 302 305 380 400 401 402 403 404 405 406 407 408 409 410 411 412 413
    414 415 416 417 420 421 422 423 424 425 428 429 430 433 436 437 438 439 440 469 470 480 481 482 483 484 485 486
    487 488 489 491 493 494 500 501 502 503 504 505 513 555 580 600 603 604 606 607 608
"""
CODES: Final = tuple(_IANA_CODES.split())
"""The IANA registry of SIP response codes."""
_USUAL_CODES = "100 180 183 200 302 400 404 408 480 481 486 487 488 491 500 503 600 603"
USUAL_CODES: Final = tuple(_USUAL_CODES.split())
"""Of these and the usual methods, series exist from the start."""
TRANSPORTS: Final = ("udp", "tcp", "tls", "ws", "wss")
CODECS: Final = ("PCMU", "PCMA", "G722", "L16", "opus", "telephone-event", "CN")
DTMF_MODES: Final = ("rfc4733", "inband", "info")
ROLE_KINDS: Final = ("supervisor", "dispatcher", "call", "media")
STREAM_TRANSPORTS: Final = ("tcp", "tls")
CONNECTION_STATES: Final = ("connecting", "handshake", "open", "half_closed", "lingering")
QUEUES: Final = (
    "sip_to_slot",
    "sip_from_slot",
    "calls",
    "media_commands",
    "media_events",
    "media_frames",
    "recordings",
    "digits_to_send",
    "log",
    "call_events",
    "cdr",
    "sip_trace",
    "reports",
    "ended_calls",
)
REGISTRATION_RESULTS: Final = ("ok", "challenged_twice", "rejected", "timeout", "transport_error")
REQUEST_ENDS: Final = (*CODES, "timeout", "transport_error", "ended")
"""How a request outside of calls ended: the code of its final response, or without one."""
LENIENCIES: Final = tuple(each.value for each in Leniency)
"""The faults of peers that are read all the same."""
SILENT_SIDES: Final = ("local", "remote")
DTMF_ERRORS: Final = ("missed", "spurious", "wrong_digit")
SCENARIO_EVENTS: Final = (
    *("sent_again", "received_again", "auto_answered", "unexpected", "warnings", "commands_left_out"),
    *("stop_gracefully", "stop_now"),
)
"""What calls of a scenario file of SIPp count besides its own names: messages, lines of `warning`, commands of
`exec command` that were not run, and `int_cmd` for the whole run."""
ACTOR_KINDS: Final = ("call", "registration")
CALL_TABLES: Final = ("actors", "transactions", "dialogs", "streams", "names", "deadlines")
MEDIA_REFUSALS: Final = (
    *("no_file", "bad_file", "bad_value", "no_srtp", "write_failed", "unknown_stream", "failed"),
    *("no_port", "no_descriptor", "limit", "bad_address"),
)
SILENCES: Final = ("warning", "limit")
RECORD_KINDS: Final = (
    *("sip_datagram", "sip_connection", "sip_out", "sip_between", "media_command", "media_event", "call_record"),
    *("snapshot", "control"),
)
"""The kinds of records between processes, as `bus.kinds` has them."""
RECORD_FATES: Final = ("offered", "acknowledged", "refused", "expired", "abandoned")
LINK_QUEUES: Final = ("sip_to_slot", "media_events")
