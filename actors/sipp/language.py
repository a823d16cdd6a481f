"""The names of SIPp's language: elements, where each may stand, and their attributes.

A name that is not here is unknown to SIPp 3.6.1 and 3.7. Names that are known and not carried out yet are marked where
they are read.
"""

from collections.abc import Mapping
from typing import Final

ROOT: Final = "scenario"
INIT: Final = "init"
ACTION: Final = "action"

_COMMON: Final = frozenset(
    (
        "chance",
        "condexec",
        "condexec_inverse",
        "counter",
        "crlf",
        "display",
        "hide",
        "lost",
        "next",
        "ontimeout",
        "repeat_rtd",
        "rtd",
        "start_rtd",
        "test",
    )
)
"""Attributes of every command."""
_DISTRIBUTION: Final = frozenset(
    (
        "distribution",
        "k",
        "lambda",
        "location",
        "max",
        "mean",
        "min",
        "n",
        "p",
        "scale",
        "shape",
        "stdev",
        "theta",
        "value",
        "x_m",
    )
)
"""Attributes of a distribution."""
_OLD_PAUSE: Final = frozenset(("exponential", "gamma", "lognormal", "negbin", "normal", "pareto", "uniform", "weibull"))
"""Attributes of a pause that name its distribution in files for old versions."""

NEWER: Final = frozenset(("dialog", "timeout_variable"))
"""Attributes of commands in versions after 3.7: they are refused, because a call would be another one without them."""

COMMANDS: Final[Mapping[str, frozenset[str]]] = {
    "send": _COMMON | {"ack_txn", "retrans", "start_txn", "timeout"},
    "recv": _COMMON
    | {
        "advance_state",
        "auth",
        "ignoresdp",
        "optional",
        "regexp_match",
        "request",
        "response",
        "response_txn",
        "rrs",
        "timeout",
    },
    "pause": _COMMON | _DISTRIBUTION | _OLD_PAUSE | {"milliseconds", "sanity_check", "variable"},
    "timewait": _COMMON | _DISTRIBUTION | _OLD_PAUSE | {"milliseconds", "sanity_check", "variable"},
    "nop": _COMMON,
    "sendCmd": _COMMON | {"dest"},
    "recvCmd": _COMMON | {"optional", "src", "timeout"},
}
"""The commands, each with its attributes."""
SECTIONS: Final[Mapping[str, frozenset[str]]] = {
    "label": frozenset(("id",)),
    INIT: frozenset(),
    "Global": frozenset(("variables",)),
    "User": frozenset(("variables",)),
    "Reference": frozenset(("variables",)),
    "CallLengthRepartition": frozenset(("value",)),
    "ResponseTimeRepartition": frozenset(("value",)),
    "DefaultMessage": frozenset(("id",)),
}
"""What stands beside the commands, each with its attributes."""
ACTIONS: Final[Mapping[str, frozenset[str]]] = {
    "ereg": frozenset(
        (
            "assign_to",
            "case_indep",
            "check_it",
            "check_it_inverse",
            "header",
            "occurence",
            "occurrence",
            "regexp",
            "search_in",
            "start_line",
            "variable",
        )
    ),
    "log": frozenset(("message",)),
    "warning": frozenset(("message",)),
    "error": frozenset(("message",)),
    "assign": frozenset(("assign_to", "value", "variable")),
    "assignstr": frozenset(("assign_to", "value")),
    "gettimeofday": frozenset(("assign_to",)),
    "index": frozenset(("assign_to",)),
    "jump": frozenset(("value", "variable")),
    "pauserestore": frozenset(("value", "variable")),
    "add": frozenset(("assign_to", "value", "variable")),
    "subtract": frozenset(("assign_to", "value", "variable")),
    "multiply": frozenset(("assign_to", "value", "variable")),
    "divide": frozenset(("assign_to", "value", "variable")),
    "rtp_echo": frozenset(("value", "variable")),
    "sample": _DISTRIBUTION | {"assign_to"},
    "todouble": frozenset(("assign_to", "variable")),
    "test": frozenset(("assign_to", "check_it", "check_it_inverse", "compare", "value", "variable", "variable2")),
    "strcmp": frozenset(("assign_to", "check_it", "check_it_inverse", "value", "variable", "variable2")),
    "trim": frozenset(("assign_to",)),
    "urldecode": frozenset(("variable",)),
    "urlencode": frozenset(("variable",)),
    "verifyauth": frozenset(("assign_to", "password", "username")),
    "lookup": frozenset(("assign_to", "file", "key")),
    "insert": frozenset(("file", "value")),
    "replace": frozenset(("file", "line", "value")),
    "setdest": frozenset(("host", "port", "protocol")),
    "closecon": frozenset(),
    "exec": frozenset(
        (
            "command",
            "int_cmd",
            "play_dtmf",
            "play_pcap_audio",
            "play_pcap_image",
            "play_pcap_video",
            "rtp_echo",
            "rtp_stream",
        )
    ),
}
"""The actions, each with its attributes."""

_IN_ROOT: Final = frozenset((ROOT,))
PARENTS: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys((*COMMANDS, *SECTIONS), _IN_ROOT),
    "nop": frozenset((ROOT, INIT)),
    "label": frozenset((ROOT, INIT)),
    ACTION: frozenset(COMMANDS),
    **dict.fromkeys(ACTIONS, frozenset((ACTION,))),
}
"""In which elements an element may stand; the names that are missing may stand nowhere."""
