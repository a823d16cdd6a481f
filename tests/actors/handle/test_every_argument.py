"""Every argument of the API for scripts with what it cannot be: refused at once, by a sentence that names it.

The tables have each argument of each public method once, which the last test holds against the signatures. A value that
is refused opens nothing, sends nothing, and leaves call and user agent as they were; no traceback is logged.
"""

import math
from collections.abc import Callable, Coroutine
from functools import partial
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Final

import pytest

from sipswarm.actors.agent.agent_metrics import AgentMetrics
from sipswarm.actors.agent.agent_options import AgentAliases, AgentOptions
from sipswarm.actors.agent.agent_wire import AgentWire
from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call_worker.actor_table import Entries
from sipswarm.actors.errors import ConfigurationError, SwarmError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.call_options import CallOptions
from sipswarm.actors.handle.parameters import CALLED_WITH, KNOWN
from sipswarm.actors.robots.agent import RobotAgent
from sipswarm.actors.robots.agents import Agents
from sipswarm.sipcore.message.messages import Request
from tests.actors.agent.test_answers_and_ends import tracebacks, up, with_stranger
from tests.actors.stranger import Stranger, statuses
from tests.e2e.agents import note

EMPTY: Final = Entries(0, 0, 0, 0, 0, 0)
HUGE: Final = 10**5000
SUBSCRIBE: Final = Request.build("SUBSCRIBE", "sip:bob@127.0.0.1", ())
Values = tuple[Any, ...]
ODD: Values = (5, 1.5, True, b"octets", {"a": "b"}, ["a"], object(), HUGE)
LINES: Values = ("a\r\nX-Injected: 1", "a\nb", "a\0b", "\r", "half of a character \ud83d")
NO_TEXT: Values = (None, *ODD, *LINES)
NO_FLAG: Values = (None, "", "no", "False", 2, -1, 1.5, math.nan, b"1", [], [1], object(), HUGE)
NO_WHOLE: Values = (None, "1", b"1", "", 1.5, 1.0, True, -1, math.nan, math.inf, [], {}, object(), HUGE, -HUGE)
NO_SECONDS: Values = (None, "1", b"1", "", True, -1, -0.5, math.nan, math.inf, -math.inf, [], object(), HUGE)
NO_CALLBACK: Values = (5, 1.5, True, "name", b"x", {}, {"a": 1}, object(), (5,), [5], HUGE)
UNREADABLE: Values = (
    "@@",
    "sip:",
    "sip:@",
    "sip:x@",
    "sip:x@a b",
    "x@a b",
    "a b",
    "<sip:x@h",
    "x@h@h",
    "sip:x@h:99999",
)
MORE_UNREADABLE: Values = ("sip:x@[::xyz]", "<sip:x@h>;tag=1", "*", " ", "sip:x@h\r\nX: y", '"a <sip:x@h>')
BROKEN: Values = (*UNREADABLE, *MORE_UNREADABLE, "http://x", "mailto:a@b")
NO_URI: Values = (*NO_TEXT, *BROKEN)
"""Neither a SIP URI nor what can be completed to one."""
TARGETS: Values = (*NO_URI, "", "tel:+1", "bob")
NO_SERVER: Values = (
    *NO_TEXT,
    "@@",
    "sip:",
    "junk junk",
    "tel:+1",
    "http://x",
    "h:99999",
    "<sip:h;lr>",
    "h;transport=foo",
)
NO_HEADERS: Values = (
    5,
    True,
    "X: y",
    b"X",
    object(),
    [5],
    [("X",)],
    [("X", "1", "2")],
    {5: "1"},
    {"": "x"},
    {"a b": "c"},
    {"X": 5},
    {"X": None},
    {"X": b"1"},
    {"Call-ID": "x"},
    {"i": "x"},
    {"Via": "x"},
    {"CSeq": "1"},
    *({"X": line} for line in LINES),
    *({line: "x"} for line in LINES),
)
NO_MAPPING: Values = (5, True, "x", b"x", ["a"], {5: "x"}, object())
NO_LIST: Values = (None, 5, 1.5, True, b"x", {"a": "b"}, object(), HUGE)
NO_FILE: Values = (None, 5, True, "", "a\0b", "x" * 5000, ["a"], {}, object(), b"x.wav")
NO_CREDENTIALS: Values = (
    5,
    True,
    "a:b",
    b"x",
    ("a",),
    ("a", 5),
    ("a", "b", "c"),
    {"r": "a"},
    {5: ("a", "b")},
    ("a\r\nX: 1", "b"),
    {"r": ("a", "b\n")},
    object(),
)
NO_LEG: Values = (7, -1, 1.5, True, b"x", "udp:192.0.2.1:5060", "x\r\ny", [0], object(), HUGE)
NO_NAMES: Values = (*NO_TEXT, "", "X", "7x", "a-b", "a b", "x_count", "x_info", "x" * 61)
NO_LABELS: Values = (*NO_LIST, [5], [None], [b"x"], [HUGE], "", "X", "le", "process", "a b", ["a", "a"], list("abcdef"))
NO_DIGITS: Values = (None, *ODD, "x", "12x", "\n", " ")
NO_STATUS: Values = (*NO_WHOLE, 0, 99, 100, 200, 700, 1000)

TARGET: Final = "sip:x@127.0.0.1:9"
SERVER: Final = "sip:127.0.0.1:9"
OURS: Final = "sip:alice@127.0.0.1"


def context(**more: Any) -> dict[str, Any]:
    return {"to": TARGET, **more}


def plain(call: Call) -> None:
    raise AssertionError("it is never called")


async def two_calls(call: Call, other: Call) -> None:
    raise AssertionError("it is never called")


def request_of() -> Request:
    return Request.build("OPTIONS", "sip:x@127.0.0.1", ())


def invites_with(name: str) -> Callable[[UserAgent, Any], Any]:
    return lambda ua, bad: ua.invite(TARGET, media="none", **{name: bad})


def listens_with(name: str) -> Callable[[UserAgent, Any], Any]:
    return lambda ua, bad: ua.listen(**{name: bad})


def reinvites_with(name: str) -> Callable[[Call, Any], Any]:
    return lambda call, bad: call.reinvite(**{name: bad})


def updates_with(name: str) -> Callable[[Call, Any], Any]:
    return lambda call, bad: call.update(**{name: bad})


def sets(name: str) -> Callable[[Call, Any], Any]:
    return lambda call, bad: call.set_param(**{name: bad})


def unfit(count: int) -> Values:
    """Functions that do not take this number of arguments, in each form."""

    def fewer(*, named: int) -> None:
        raise AssertionError("it is never called")

    class Runs:
        def run(self, *, named: int) -> None:
            raise AssertionError("it is never called")

    more = eval(f"lambda {', '.join(f'a{number}' for number in range(count + 1))}: None")
    return (fewer, more, partial(more), (more,), Runs(), *((lambda: None,) if count else ()))


CONSTRUCTOR: Final[dict[str, tuple[Any, ...]]] = {
    "from_": (*NO_URI, "", "alice"),
    "legs": (
        *NO_LIST[1:],
        [],
        [5],
        [None],
        [b"udp"],
        "u",
        ["localhost"],
        ["sctp:127.0.0.1:0"],
        ["udp:127.0.0.1:x"],
        "",
    ),
    "advertise": (*NO_LIST, [5], [None], [""], "name", "192.0.2.1:5", ["192.0.2.1", "192.0.2.2"], "0.0.0.0"),
    "outgoing_proxy": NO_SERVER,
    "registrar": NO_SERVER,
    "auth": NO_CREDENTIALS,
    "domain": (*NO_TEXT, "a b", "@", "a@b", "a;b", "a?b=c", "h:99999"),
    "contact": (*NO_TEXT, *BROKEN, "alice"),
    "route": (
        *NO_LIST,
        [5],
        [None],
        ["junk"],
        ["@@"],
        "junk",
        "@@",
        [""],
        "",
        ["<sip:a;lr>", "<tel:+1>"],
        ["<sip:a\r\n>"],
    ),
    "options": NO_HEADERS,
    "domain2proxy": (5, "x", b"x", [], [("a", "b")], {5: "h"}, {"": "h"}, *({"*": each} for each in NO_SERVER)),
    "session_expires": (*NO_WHOLE, 1, 89, 2**32),
    "redirects": (*NO_WHOLE, 10**9),
    "headers": NO_HEADERS,
    "codecs": (*NO_LIST, [5], [None], ["foo"], "foo", ["pcmu", "pcmu"], [""], ""),
    "rtp_ports": (
        *NO_LIST,
        "x",
        (),
        (5, 4),
        (5, 6),
        (20000,),
        (20000, 19000),
        (20000, 70000),
        (0, 2),
        (20000.0, 20010),
    ),
    "rtp_timeout": NO_SECONDS,
    "tls": (5, "x", {}, ("ca",), object(), True),
    "strict_source": NO_FLAG,
    "send_to": (5, None, "x", ("10.0.0.0/99",), (5,), object(), True),
    "strict": NO_FLAG,
    "srtp": (None, *ODD, "", "maybe", "OFF"),
    "dnsresolv": (5, "x", b"x", {}, [], object(), True, *unfit(2)),
    "trace": NO_FLAG,
    "sip_trace": tuple(each for each in NO_FILE if each != ""),
    "node": (5, "x", True, object(), {}),
}

PARAMETERS: Final[dict[str, tuple[Any, ...]]] = {
    **{name: (*NO_CALLBACK, *unfit(len(arguments))) for name, arguments in CALLED_WITH.items()},
    **dict.fromkeys(("sdp_on_ack", "asymetric_rtp", "asymmetric_rtp", "call_on_hold", "clear_sdp"), NO_FLAG),
    **dict.fromkeys(("sip_header", "ack_header"), NO_HEADERS),
    **dict.fromkeys(("media_lsocks", "media_ssocks"), (None, 5, True, "x", b"x", {}, object(), HUGE)),
    "rtp_param": (True, 5, "x", b"x", {}, (), [0], [0, 160, "x"], [0, 160, math.nan], [0, HUGE, 0.02], [object()] * 3),
    "sdp": (
        *(5, True, "junk", b"v=1\r\n", ["v=0"], [], {"nonsense": 1}, object()),
        *({"media": 5}, {"media": [5]}, {"media": [{}]}, [{}, 5], [{}, {"port": "x"}]),
    ),
    "dtmf_methods": (*NO_LIST, [5], [None], [b"info"], object()),
    "dtmf_rtptype": (*NO_WHOLE, 0, 95, 128),
    "rtp_addr": (None, *ODD, "nowhere", "192.0.2.1:5", "127.0.0.1\r\n"),
    "ring_time": NO_SECONDS,
}
"""Parameters of a call, which `invite`, `listen`, `reinvite`, `update`, `set_param` and `Call` take."""
SHOWN_ONLY: Final = {"media_raddr", "sdp_peer", "leg"}
"""Parameters that the call itself writes, and the leg, which a call has from its first INVITE on."""
PORTS: Final = {
    name: (*PARAMETERS[name], [5], ["x"], [b"x"], [object()], [()]) for name in ("media_lsocks", "media_ssocks")
}
Attempt = Callable[[Any, Any], Any]
AGENT: Final[dict[str, tuple[Attempt, tuple[Any, ...]]]] = {
    "invite to": (lambda ua, bad: ua.invite(bad, media="none"), TARGETS),
    "invite to in a context": (lambda ua, bad: ua.invite({"to": bad}, media="none"), TARGETS),
    "invite from": (lambda ua, bad: ua.invite(context(**{"from": bad})), (*NO_URI, "alice")),
    "invite contact": (lambda ua, bad: ua.invite(context(contact=bad)), (*NO_TEXT, *BROKEN, "alice")),
    "invite route": (lambda ua, bad: ua.invite(context(route=bad)), CONSTRUCTOR["route"]),
    "invite auth": (lambda ua, bad: ua.invite(context(auth=bad)), (None, *NO_CREDENTIALS)),
    "invite callid": (lambda ua, bad: ua.invite(context(callid=bad)), (*NO_TEXT, "a b", "a@b@c", "@a", "a@", "\xe9")),
    "invite context": (lambda ua, bad: ua.invite(context(**{bad: 1})), ("cb_final", "TO", "")),
    "invite call_id": (lambda ua, bad: ua.invite(TARGET, call_id=bad), (*NO_TEXT, "a b", "a@b@c", "@a", "a@", "\xe9")),
    "invite media": (
        lambda ua, bad: ua.invite(TARGET, media=bad),
        (*ODD, "", "x", "tone:x", "tone:" + "9" * 5000, "play:"),
    ),
    "invite leg": (lambda ua, bad: ua.invite(TARGET, leg=bad), NO_LEG),
    "Call to": (lambda ua, bad: Call(ua, bad), tuple(bad for bad in TARGETS if not isinstance(bad, dict))),
    "Call control": (lambda ua, bad: Call(bad, TARGET), (None, 5, "x", object())),
    "listen robot": (
        lambda ua, bad: ua.listen(bad),
        (5, True, "x", b"x", {}, object(), plain, two_calls, lambda: None),
    ),
    "listen filter": (lambda ua, bad: ua.listen(filter=bad), (*NO_CALLBACK, *unfit(2))),
    "listen cb_create": (lambda ua, bad: ua.listen(cb_create=bad), (*NO_CALLBACK, *unfit(2))),
    "listen media": (lambda ua, bad: ua.listen(media=bad), (*ODD, "", "x", "tone:x", "play:")),
    "listen refuse_status": (lambda ua, bad: ua.listen(refuse_status=bad), NO_STATUS),
    "listen auth_realm": (lambda ua, bad: ua.listen(auth_user2pass={"a": "b"}, auth_realm=bad), (*ODD, *LINES)),
    "listen auth_opaque": (lambda ua, bad: ua.listen(auth_user2pass={"a": "b"}, auth_opaque=bad), (*ODD, *LINES)),
    "listen auth_user2pass": (lambda ua, bad: ua.listen(auth_user2pass=bad), (5, "x", b"x", [], {5: "x"}, {"a": None})),
    "listen auth_user2a1": (
        lambda ua, bad: ua.listen(auth_user2a1=bad),
        (5, "x", {"a": "zz"}, {"a": "z" * 32}, {"a": 5}),
    ),
    "listen auth_user2aka": (lambda ua, bad: ua.listen(auth_user2aka=bad), (5, "x", {"a": "x"}, {"a": 5}, {5: "x"})),
    "listen auth_algorithms": (
        lambda ua, bad: ua.listen(auth_user2pass={"a": "b"}, auth_algorithms=bad),
        (5, True, b"MD5", {"MD5": 1}, "FOO", ["MD5", "FOO"], [5], [["MD5"]], object()),
    ),
    "listen auth_qop": (
        lambda ua, bad: ua.listen(auth_user2pass={"a": "b"}, auth_qop=bad),
        ("x", 5, b"none", ["none"]),
    ),
    "listen auth_uri": (lambda ua, bad: ua.listen(auth_user2pass={"a": "b"}, auth_uri=bad), ("x", 5, b"any", ["any"])),
    "listen auth_strict": (lambda ua, bad: ua.listen(auth_user2pass={"a": "b"}, auth_strict=bad), NO_FLAG),
    "on_request method": (
        lambda ua, bad: ua.on_request(bad, print),
        (*NO_TEXT, "", "FOO BAR", "\xe9", "INVITE", "ack", "CANCEL", "BYE", "PRACK", "UPDATE", "message"),
    ),
    "on_request handler": (
        lambda ua, bad: ua.on_request("MESSAGE", bad),
        (*NO_CALLBACK, lambda: None, lambda one, two: None),
    ),
    "request method": (lambda ua, bad: ua.request(bad, TARGET), (*NO_TEXT, "", "FOO BAR", "\xe9", "INVITE", "options")),
    "request to": (lambda ua, bad: ua.request("OPTIONS", bad), TARGETS),
    "request body": (lambda ua, bad: ua.request("INFO", TARGET, bad), (None, 5, 1.5, True, {}, ["x"], object(), HUGE)),
    "request content_type": (
        lambda ua, bad: ua.request("INFO", TARGET, "x", content_type=bad),
        (*ODD, *LINES, "", "junk", "a/", "/b"),
    ),
    "request cb_final": (lambda ua, bad: ua.request("INFO", TARGET, cb_final=bad), (*NO_CALLBACK, *unfit(2))),
    "request timeout": (
        lambda ua, bad: ua.request("INFO", TARGET, timeout=bad),
        tuple(bad for bad in (*NO_SECONDS, 0) if bad is not None),
    ),
    "request from_|from": (lambda ua, bad: ua.request("INFO", TARGET, from_=bad), (*NO_URI, "alice")),
    "request auth": (lambda ua, bad: ua.request("INFO", TARGET, auth=bad), NO_CREDENTIALS),
    "request leg": (lambda ua, bad: ua.request("INFO", TARGET, leg=bad), NO_LEG),
    "request max_forwards": (lambda ua, bad: ua.request("INFO", TARGET, max_forwards=bad), (*NO_WHOLE, 256)),
    "request headers": (lambda ua, bad: ua.request("INFO", TARGET, X_Name=bad), (None, 5, b"x", {"a": 1}, *LINES)),
    "request callid": (
        lambda ua, bad: ua.request("INFO", context(callid=bad)),
        (*NO_TEXT, "a b", "a@b@c", "@a", "a@", "\xe9"),
    ),
    "subscribe to": (lambda ua, bad: ua.subscribe(bad, "dialog"), TARGETS),
    "subscribe event": (lambda ua, bad: ua.subscribe(TARGET, bad), (*NO_TEXT, "", "a b", ";id=1")),
    "subscribe expires": (lambda ua, bad: ua.subscribe(TARGET, "dialog", expires=bad), (*NO_WHOLE, 2**32)),
    "subscribe body": (
        lambda ua, bad: ua.subscribe(TARGET, "dialog", body=bad),
        (None, 5, 1.5, True, {}, ["x"], object(), HUGE),
    ),
    "subscribe content_type": (
        lambda ua, bad: ua.subscribe(TARGET, "dialog", body="x", content_type=bad),
        (*ODD, *LINES, "", "junk", "a/", "/b"),
    ),
    "subscribe accept": (
        lambda ua, bad: ua.subscribe(TARGET, "dialog", accept=bad),
        (*NO_LIST, [5], [b"x"], *LINES),
    ),
    "subscribe cb_notify": (
        lambda ua, bad: ua.subscribe(TARGET, "dialog", cb_notify=bad),
        (*NO_CALLBACK, *unfit(1)),
    ),
    "subscribe from_|from": (lambda ua, bad: ua.subscribe(TARGET, "dialog", from_=bad), (*NO_URI, "alice")),
    "subscribe auth": (lambda ua, bad: ua.subscribe(TARGET, "dialog", auth=bad), NO_CREDENTIALS),
    "subscribe leg": (lambda ua, bad: ua.subscribe(TARGET, "dialog", leg=bad), NO_LEG),
    "subscribe headers": (
        lambda ua, bad: ua.subscribe(TARGET, "dialog", X_Name=bad),
        (None, 5, b"x", {"a": 1}, *LINES),
    ),
    "accept_subscription request": (lambda ua, bad: ua.accept_subscription(bad), (None, 5, "x", b"x", {}, object())),
    "accept_subscription expires": (
        lambda ua, bad: ua.accept_subscription(SUBSCRIBE, expires=bad),
        (*NO_WHOLE, 0, 2**32),
    ),
    "accept_subscription body": (
        lambda ua, bad: ua.accept_subscription(SUBSCRIBE, body=bad),
        (None, 5, 1.5, True, {}, ["x"], object(), HUGE),
    ),
    "accept_subscription content_type": (
        lambda ua, bad: ua.accept_subscription(SUBSCRIBE, body="x", content_type=bad),
        (*ODD, *LINES, "", "junk", "a/", "/b"),
    ),
    "accept_subscription state": (
        lambda ua, bad: ua.accept_subscription(SUBSCRIBE, state=bad),
        (*NO_TEXT, "", "Active", "terminated"),
    ),
    "take_transfers consent": (lambda ua, bad: ua.take_transfers(bad), (*NO_CALLBACK, *unfit(2))),
    "take_transfers cb_placed": (lambda ua, bad: ua.take_transfers(cb_placed=bad), (*NO_CALLBACK, *unfit(2))),
    "register registrar": (lambda ua, bad: ua.register(bad), (*NO_SERVER, "")),
    "register contact": (
        lambda ua, bad: ua.register(SERVER, contact=bad),
        (*NO_TEXT, *UNREADABLE, *MORE_UNREADABLE, "alice"),
    ),
    "register expires": (lambda ua, bad: ua.register(SERVER, expires=bad), (*NO_WHOLE, 2**32)),
    "register refresh": (lambda ua, bad: ua.register(SERVER, refresh=bad), NO_FLAG),
    "register leg": (lambda ua, bad: ua.register(SERVER, leg=bad), NO_LEG),
    "register from_": (lambda ua, bad: ua.register(SERVER, from_=bad), (*NO_URI, "alice")),
    "register auth": (lambda ua, bad: ua.register(SERVER, auth=bad), NO_CREDENTIALS),
    "register resp40x": (lambda ua, bad: ua.register(SERVER, resp40x=bad), (*ODD, "x", request_of())),
    "register cb_final": (lambda ua, bad: ua.register(SERVER, cb_final=bad), (*NO_CALLBACK, *unfit(3))),
    "register headers": (lambda ua, bad: ua.register(SERVER, X_Name=bad), (None, 5, b"x", {"a": 1}, *LINES)),
    "every seconds": (lambda ua, bad: ua.every(bad, print), (*NO_SECONDS, 0)),
    "every every_worker": (lambda ua, bad: ua.every(1, print, every_worker=bad), NO_FLAG),
    "every first": (lambda ua, bad: ua.every(1, print, first=bad), NO_SECONDS[1:]),
    "every function": (lambda ua, bad: ua.every(1, bad), (None, *NO_CALLBACK, lambda needed: None)),
    "invite param": (lambda ua, bad: ua.invite(TARGET, bad), NO_MAPPING),
    "invite name of an option|no argument": (
        lambda ua, bad: ua.invite(TARGET, **{bad: 1}),
        ("ring_tme", "cb_finall", "colour", "resp40x", "auth_realm", ""),
    ),
    "listen param": (lambda ua, bad: ua.listen(param=bad), NO_MAPPING),
    "listen name of an option|no argument": (
        lambda ua, bad: ua.listen(**{bad: 1}),
        ("ring_tme", "cb_finall", "colour", "auth_relm", "call_id", ""),
    ),
    "another from_": (lambda ua, bad: ua.another(bad), (*NO_URI, "alice")),
    "another same_legs": (lambda ua, bad: ua.another(OURS, same_legs=bad), NO_FLAG),
    "on_send function": (lambda ua, bad: ua.on_send(bad), (*NO_CALLBACK, *unfit(2))),
    "resolve_uri uri": (lambda ua, bad: ua.resolve_uri(bad), TARGETS),
    "deliver message": (lambda ua, bad: ua.deliver(bad, SERVER), (None, "x", 5, True, {}, object(), HUGE)),
    "deliver to": (lambda ua, bad: ua.deliver(b"x", bad), (*NO_SERVER, "")),
    "deliver leg": (lambda ua, bad: ua.deliver(b"x", SERVER, leg=bad), NO_LEG),
    "local_address host": (lambda ua, bad: ua.local_address(bad), (*NO_TEXT, "", "name", "127.0.0.1:5", "[::1]")),
    "local_address transport": (lambda ua, bad: ua.local_address("127.0.0.1", bad), (*NO_TEXT, "", "UDP", "sctp")),
    "print_messages file": (lambda ua, bad: ua.print_messages(bad), (5, True, "x", b"x", {}, object(), HUGE)),
    "counter name": (lambda ua, bad: ua.counter(bad), NO_NAMES),
    "counter help": (lambda ua, bad: ua.counter("x", bad), NO_TEXT),
    "counter labels": (lambda ua, bad: ua.counter("x", "", bad), NO_LABELS),
    "gauge name": (lambda ua, bad: ua.gauge(bad), (*NO_NAMES, "x_total")),
    "gauge help": (lambda ua, bad: ua.gauge("x", bad), NO_TEXT),
    "gauge labels": (lambda ua, bad: ua.gauge("x", "", bad), NO_LABELS),
    "histogram name": (lambda ua, bad: ua.histogram(bad), (*NO_NAMES, "x_total")),
    "histogram help": (lambda ua, bad: ua.histogram("x", bad), NO_TEXT),
    "histogram labels": (lambda ua, bad: ua.histogram("x", "", bad), NO_LABELS),
    "histogram buckets": (
        lambda ua, bad: ua.histogram("x", "", (), bad),
        (None, 5, True, "x", b"x", {}, (), (2, 1), (1, 1), ["1"], [math.nan], [math.inf], [HUGE], range(30), object()),
    ),
    "reserve_media count": (lambda ua, bad: ua.reserve_media(bad), (*NO_WHOLE, 10**9)),
    "reserve_media leg": (lambda ua, bad: ua.reserve_media(leg=bad), (None, *NO_LEG)),
    "rtp name": (lambda ua, bad: ua.rtp(bad), (None, *ODD, "", "nothing")),
    **{f"invite {name}": (invites_with(name), PORTS.get(name, values)) for name, values in PARAMETERS.items()},
    **{f"listen {name}": (listens_with(name), PORTS.get(name, values)) for name, values in PARAMETERS.items()},
}
ROBOT: Final[dict[str, tuple[Attempt, tuple[Any, ...]]]] = {
    "rows path|name of a file|is empty|NUL|longer": (lambda ua, bad: ua.rows(bad), NO_FILE),
    "keep_registered address": (lambda ua, bad: ua.keep_registered(bad, registrar=SERVER), TARGETS),
    "keep_registered registrar": (lambda ua, bad: ua.keep_registered(OURS, registrar=bad), (*NO_SERVER, "")),
    "keep_registered auth": (lambda ua, bad: ua.keep_registered(OURS, registrar=SERVER, auth=bad), NO_CREDENTIALS),
    "keep_registered contact": (
        lambda ua, bad: ua.keep_registered(OURS, registrar=SERVER, contact=bad),
        (*NO_TEXT, *BROKEN, "alice"),
    ),
    "keep_registered expires": (
        lambda ua, bad: ua.keep_registered(OURS, registrar=SERVER, expires=bad),
        (*NO_WHOLE, 0, 2**32),
    ),
    "keep_registered headers": (
        lambda ua, bad: ua.keep_registered(OURS, registrar=SERVER, X_Name=bad),
        (None, 5, b"x", {"a": 1}, *LINES),
    ),
    "register_rate": (lambda ua, bad: setattr(ua, "register_rate", bad), NO_SECONDS),
    "every seconds": (lambda ua, bad: ua.every(bad, print), (*NO_SECONDS, 0)),
    "every every_worker": (lambda ua, bad: ua.every(1, print, every_worker=bad), NO_FLAG),
    "every first": (lambda ua, bad: ua.every(1, print, first=bad), NO_SECONDS[1:]),
    "every function": (lambda ua, bad: ua.every(1, bad), (None, *NO_CALLBACK, lambda needed: None)),
    "register contact": (
        lambda ua, bad: ua.register(SERVER, contact=bad),
        (*NO_TEXT, *UNREADABLE, *MORE_UNREADABLE, "alice"),
    ),
    "register expires": (lambda ua, bad: ua.register(SERVER, expires=bad), (*NO_WHOLE, 2**32)),
    "another from_": (lambda ua, bad: ua.another(bad), (*NO_URI, "alice")),
}
WAITING: Final[dict[str, tuple[Attempt, tuple[Any, ...]]]] = {
    "keep text": (lambda call, bad: call.keep(bad), (None, 3, b"text", "x" * 257, "é" * 129)),
    "ring status": (lambda call, bad: call.ring(bad), (*NO_WHOLE, 0, 99, 100, 200, 700)),
    "ring headers": (lambda call, bad: call.ring(180, bad), NO_HEADERS),
    "early_media status": (lambda call, bad: call.early_media(bad), (*NO_WHOLE, 0, 99, 100, 200, 700)),
    "early_media headers": (lambda call, bad: call.early_media(183, bad), NO_HEADERS),
    "answer headers": (lambda call, bad: call.answer(bad), NO_HEADERS),
    "accept headers": (lambda call, bad: call.accept(bad), NO_HEADERS),
    "reject status": (lambda call, bad: call.reject(bad), NO_STATUS),
    "reject reason": (lambda call, bad: call.reject(486, bad), NO_TEXT),
    "reject headers": (lambda call, bad: call.reject(486, "", bad), NO_HEADERS),
}
"""Methods of a call that waits for its answer."""
WITHIN: Final[dict[str, tuple[Attempt, tuple[Any, ...]]]] = {
    "request method": (lambda call, bad: call.request(bad), (*NO_TEXT, "", "FOO BAR", "\xe9", "INFO:")),
    "request body": (lambda call, bad: call.request("INFO", bad), (None, 5, 1.5, True, {}, ["x"], object(), HUGE)),
    "request content_type": (
        lambda call, bad: call.request("INFO", "x", content_type=bad),
        (*NO_TEXT, "", "junk", "a/", "/b"),
    ),
    "request cb_final": (lambda call, bad: call.request("INFO", cb_final=bad), (*NO_CALLBACK, *unfit(3))),
    "request headers": (lambda call, bad: call.request("INFO", X_Name=bad), (None, 5, b"x", {"a": 1}, *LINES)),
    "update headers": (lambda call, bad: call.update(bad), NO_HEADERS),
    "bye cb_final": (lambda call, bad: call.bye(bad), (*NO_CALLBACK, *unfit(1))),
    "add_cleanup callback": (lambda call, bad: call.add_cleanup(bad), (*NO_CALLBACK, *unfit(1))),
    "cancel cb_final": (lambda call, bad: call.cancel(bad), (*NO_CALLBACK, *unfit(1))),
    "transfer target": (lambda call, bad: call.transfer(bad), (*NO_URI, "", "bob", "tel:", "tel:x")),
    "reinvite resp40x": (lambda call, bad: call.reinvite(resp40x=bad, auth=("a", "b")), (*ODD, "x", request_of())),
    "reinvite auth": (lambda call, bad: call.reinvite(auth=bad), NO_CREDENTIALS),
    "dtmf events": (lambda call, bad: call.dtmf(bad), (None, *ODD)),
    "dtmf duration": (lambda call, bad: call.dtmf("1", bad), (*NO_WHOLE, 99.5, 0, 10**9)),
    "dtmf methods": (
        lambda call, bad: call.dtmf("1", 100, bad),
        (*NO_LIST, [5], [None], [b"info"], "foo", "", [], [" "]),
    ),
    "dtmf cb_final": (lambda call, bad: call.dtmf("1", cb_final=bad), (*NO_CALLBACK, *unfit(2))),
    "digits count": (lambda call, bad: call.digits(bad, timeout=1), NO_WHOLE[1:]),
    "digits timeout": (lambda call, bad: call.digits(1, bad), NO_SECONDS[1:]),
    "digits until": (lambda call, bad: call.digits(until=bad, timeout=1), NO_DIGITS),
    "digits between": (lambda call, bad: call.digits(1, between=bad), NO_SECONDS[1:]),
    "digits first": (lambda call, bad: call.digits(1, first=bad), NO_SECONDS[1:]),
    "play source|tone|repeat|name of a file|is empty|NUL|longer": (
        lambda call, bad: call.play(bad),
        (*NO_FILE, ("tone",), ("tone", 0), ("x",), [], ("file", "x.wav", "1"), ("callback", 5)),
    ),
    "play repeat": (lambda call, bad: call.play("x.wav", bad), tuple(bad for bad in NO_WHOLE if bad != -1)),
    "play until": (lambda call, bad: call.play("x.wav", until=bad), NO_DIGITS),
    "record file|name of a file|is empty|NUL|longer": (lambda call, bad: call.record(bad), NO_FILE),
    "record sides": (lambda call, bad: call.record("x.wav", bad), (None, *ODD, "", "both")),
    "start_media handler": (lambda call, bad: call.start_media(bad), (None, *ODD, "echo", print)),
    **{f"reinvite {name}": (reinvites_with(name), PORTS.get(name, values)) for name, values in PARAMETERS.items()},
    **{f"update {name}": (updates_with(name), PORTS.get(name, values)) for name, values in PARAMETERS.items()},
    **{f"set_param {name}": (sets(name), values) for name, values in PARAMETERS.items()},
}
"""Methods of a call that is up."""


def tried(attempt: Attempt, subject: Any, bad: Any) -> None:
    """Try a value. A coroutine has to end at once: one that waits for anything has taken the value."""
    done = attempt(subject, bad)
    if isinstance(done, Coroutine):
        try:
            done.send(None)
        finally:
            done.close()


def refused(attempt: Attempt, subject: Any, bad: Any, name: str) -> None:
    """See that a value is refused with a sentence that names the argument."""
    with pytest.raises(SwarmError) as error:
        tried(attempt, subject, bad)
    text = str(error.value)
    assert any(word in text for word in name.split("|")), f"{name}: {text}"
    assert "\r" not in text
    assert "\n" not in text


def argument_of(row: str) -> str:
    """The name that the sentence must have, from the name of a row."""
    method, _, name = row.partition(" ")
    return name.partition(" in ")[0] or method


@pytest.mark.parametrize("name", CONSTRUCTOR)
def test_a_user_agent_is_not_made_with(name: str) -> None:
    for bad in CONSTRUCTOR[name]:
        with pytest.raises(ConfigurationError) as error:
            UserAgent(**{name: bad})
        assert name in str(error.value) or "name of a file" in str(error.value), f"{bad!r}: {error.value}"


@pytest.mark.parametrize("row", AGENT)
def test_a_user_agent_does_not_take(row: str, caplog: pytest.LogCaptureFixture) -> None:
    attempt, values = AGENT[row]

    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        before = stranger.worker.arrivals.policy
        for bad in values:
            refused(attempt, ua, bad, argument_of(row))
            assert stranger.worker.arrivals.policy is before
        assert await stranger.exchange(seconds=0.1) == []
        assert (stranger.worker.entries, stranger.worker.actors.live) == (EMPTY, {})

    with_stranger(scenario)
    assert tracebacks(caplog) == []


@pytest.mark.parametrize("row", ROBOT)
def test_the_agent_of_a_robot_does_not_take(row: str, caplog: pytest.LogCaptureFixture) -> None:
    attempt, values = ROBOT[row]

    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        agents = Agents(ua._node.parts)
        robot = agents.robot_agent(agents.arrangement(Path(), at_once=True))
        for bad in values:
            refused(attempt, robot, bad, argument_of(row))
        assert robot.register_rate == 0

    with_stranger(scenario)
    assert tracebacks(caplog) == []


@pytest.mark.parametrize("row", WAITING)
def test_a_call_that_waits_for_its_answer_does_not_take(row: str, caplog: pytest.LogCaptureFixture) -> None:
    attempt, values = WAITING[row]

    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        waiting: list[Call] = []
        ua.listen(cb_create=lambda call, request: note(waiting, call) and call.receive)
        await stranger.exchange(stranger.invite(1))
        (call,) = waiting
        for bad in values:
            refused(attempt, call, bad, argument_of(row))
        assert await stranger.exchange(seconds=0.1) == []
        call.reject(486)
        assert statuses(await stranger.exchange(seconds=0.1)) == [486]

    with_stranger(scenario)
    assert tracebacks(caplog) == []


@pytest.mark.parametrize("row", WITHIN)
def test_a_call_that_is_up_does_not_take(row: str, caplog: pytest.LogCaptureFixture) -> None:
    attempt, values = WITHIN[row]

    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ua.listen(media="silence")
        await up(stranger)
        (call,) = stranger.worker.actors.live.values()
        before = repr(call.param)
        for bad in values:
            refused(attempt, call, bad, argument_of(row))
            assert call.is_up
        assert repr(call.param) == before
        assert await stranger.exchange(seconds=0.1) == []

    with_stranger(scenario)
    assert tracebacks(caplog) == []


def test_every_argument_of_every_public_method_is_in_the_tables() -> None:
    rows = {row.partition("|")[0] for row in (*AGENT, *ROBOT, *WAITING, *WITHIN)}
    known = {"robot_agent", "placing_as", "place", "make", "begin", "attend", "receive_by", "came", "miss", "judged"}
    known |= {"close_record", "receive", "send_invite", "start_under_plays", "find", "hops_of", "get_param"}
    known |= {"call_back", "decide", "spawn", "came_from", "belongs_to"}
    missing = []
    for cls in (UserAgent, AgentMetrics, AgentWire, RobotAgent, Call):
        for name, method in vars(cls).items():
            if name.startswith("_") or not callable(method) or name in known:
                continue
            for each in signature(method).parameters.values():
                if each.name == "self" or each.kind in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL):
                    continue
                if not any(row.startswith(f"{name} ") and each.name in (row, *row.split(" ")) for row in rows):
                    missing.append(f"{cls.__name__}.{name}({each.name})")
    assert missing == []
    assert set(signature(UserAgent).parameters) == CONSTRUCTOR.keys() | {"aliases"}
    named = CONSTRUCTOR.keys() - {"from_", "node"}
    assert AgentOptions.__annotations__.keys() == named | AgentAliases.__annotations__.keys()
    assert PARAMETERS.keys() >= KNOWN - SHOWN_ONLY
    assert CallOptions.__annotations__.keys() == KNOWN | {"asymmetric_rtp"}
    assert CALLED_WITH.keys() >= {name for name in KNOWN if name.startswith("cb_")}
