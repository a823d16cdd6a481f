"""The call as its user holds it: the methods of the man page `Net::SIP::Simple::Call`, awaiting and callback forms.

A live call is owned by its call worker: dropping the handle loses nothing. Commands act at once; what they put out
leaves with the next flush. When the call is over, every pending and later await on it raises `CallEnded`. What its
notices mean for callbacks is in `notice_handlers`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from sipswarm.media.messages import SourceSpec, StreamStatistics
from sipswarm.sipcore.message.fields import Replaces
from sipswarm.sipcore.message.header_lines import lines_of
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response

from ..bus.messages import CallFinished
from ..call.actor import CallActor
from ..call.state import CallTimes, State
from ..errors import CallEnded, CallError, ConfigurationError
from ..identity import written_address
from ..runtime.actor_loop import ActorLoop
from ..runtime.callbacks import Callback, invoke, takes
from ..trace.ladder import Ladder
from ..trace.recorder import CallRecord
from . import credentials
from . import digits as call_digits
from .call_owner import CallOwner, Placer
from .decisions import Decision
from .digits import CallDigits
from .given_text import checked_callback, checked_pairs, checked_request, checked_text
from .media_handlers import MediaHandler, checked_handler, played_source, recording_sink
from .media_lease import MediaLeases
from .media_ports import SHOWN, CallMediaPorts
from .media_work import MediaWork
from .parameters import RING_TIME, CallParameters
from .requests import CallRequests
from .tasks import CallTasks
from .waiters import Waiters

GRACE: Final = 30.0
"""seconds that the coroutines of a call have for their own clean-up after its end"""


class Call:
    """One call. Made by `UserAgent.invite` or handed to a robot; or by hand, then `reinvite` sends its first INVITE.

    control: the user agent, which has been entered. ctx: whom to call, as for `UserAgent.invite`; a call is that call
    itself. param: parameters (C1).

    Attributes:
        param: the connection parameters (man page C1).
    """

    to = ""
    """who was called, for a call that we placed"""
    invite_request: Request | None = None
    """the INVITE of a call that came in"""
    failure = ""
    """the expectation that was missed, by name"""
    expected_digits = ""
    """what the peer should send, for the judgement"""
    on_up: "Callable[[Call], None] | None" = None
    """called when the call is established"""
    on_over: "Callable[[Call], None] | None" = None
    """called once, when every figure of the call is final"""
    judge: Callable[[CallFinished], str] | None = None
    """asked for the missed expectation, by name, when every figure of the call is final"""
    report: Callable[[CallFinished], None] | None = None
    """takes the row of this call in place of the supervisor"""
    sip_record: CallRecord | None = None
    """its SIP so far; not for users, who have `ladder`"""
    planned: float | None = None
    """monotonic time at which a load wanted this call to start"""
    receiver: Callable[[Request | Response, Hop], None] | None = None
    """takes the messages of this call instead of it, and may hand them on to `receive` (C40)"""
    closed = False
    """every figure is final"""
    grace = GRACE
    """seconds after the end until coroutines that still run for the call are cancelled"""
    _unplaced: "tuple[Placer[Call], str | Mapping[str, Any]] | None" = None
    """by whom and to whom its first INVITE goes, while that was not sent"""

    def __new__(
        cls, control: "Placer[Call] | None" = None, ctx: "str | Mapping[str, Any] | Call" = "", **param: Any
    ) -> Self:
        """A call that is up is its own context: there is one handle for a dialog."""
        return ctx if isinstance(ctx, cls) else super().__new__(cls)

    def __init__(self, control: "Placer[Call]", ctx: "str | Mapping[str, Any] | Call", **param: Any) -> None:
        if ctx is self:
            self.set_param(**param)
        elif not isinstance(ctx, Call):
            control.make(self, ctx, CallParameters(**param))
            self._unplaced = control, ctx

    def begin(
        self,
        owner: "CallOwner[Call]",
        actor_loop: ActorLoop,
        media_leases: MediaLeases,
        actor: CallActor,
        scenario: str,
        param: CallParameters,
        *,
        to: str = "",
        planned: float | None = None,
        sip_record: CallRecord | None = None,
    ) -> Self:
        """Set up a handle, new or not placed yet; not for users."""
        self.to, self.planned, self.sip_record = to, planned, sip_record
        self.param = param
        self.actor = actor
        """the call's decisions; not for users"""
        self.owner = owner
        """who owns the call; not for users"""
        self.actor_loop = actor_loop
        """runs the call; not for users"""
        self.waiters = Waiters(actor, actor_loop)
        """futures of this call; not for users"""
        self.keypad = CallDigits(actor, actor_loop, self.waiters)
        """its digits; not for users"""
        self.ports = CallMediaPorts(actor, media_leases)
        """media ports of the user's own; not for users"""
        self.media_work = MediaWork(actor, actor_loop, self.waiters)
        """what runs on its media; not for users"""
        self.requests = CallRequests(self.waiters)
        """its requests within the dialog; not for users"""
        if self._unplaced is None:
            self.tasks = CallTasks(actor, actor_loop)
            """its coroutines; not for users"""
        else:
            self.tasks.serve(actor)
            self._unplaced = None
        self.scenario = scenario
        actor.report_to(self)
        return self

    # ---- for those who place or answer it; not for users

    def attend(
        self,
        *,
        on_up: "Callable[[Call], None] | None" = None,
        on_over: "Callable[[Call], None] | None" = None,
        judge: Callable[[CallFinished], str] | None = None,
        report: Callable[[CallFinished], None] | None = None,
        expected_digits: str | None = None,
        planned: float | None = None,
    ) -> None:
        """Follow a call: whom it calls and whom it asks, by the attributes of these names. What is left out stays."""
        self.on_up, self.on_over = on_up or self.on_up, on_over or self.on_over
        self.judge, self.report = judge or self.judge, report or self.report
        self.expected_digits = self.expected_digits if expected_digits is None else expected_digits
        self.planned = self.planned if planned is None else planned

    def receive_by(self, receiver: Callable[[Request | Response, Hop], None]) -> None:
        """Give the messages of this call to a function instead of it (C40)."""
        self.receiver = receiver

    def came(self, request: Request) -> None:
        """It came in, by this INVITE."""
        self.invite_request = request

    def miss(self, expectation: str) -> None:
        """It failed, by the name of an expectation; the first that is missed counts."""
        self.failure = self.failure or expectation

    def judged(self, row: CallFinished, otherwise: Callable[[CallFinished], str]) -> str:
        """What it failed by, now that every figure is final. otherwise: judges where there is no `judge`."""
        self.miss("" if self.failure else (self.judge or otherwise)(row))
        return self.failure

    def close_record(self, over: Callable[[CallRecord | None], CallRecord | None]) -> None:
        """Its SIP is complete. over: gives what is kept of the record."""
        self.sip_record = over(self.sip_record)

    def close(self) -> bool:
        """Every figure is final; False where that was known already, or the call has begun anew."""
        if self.closed or self.actor.state is not State.OVER:
            return False
        self.closed = True
        return True

    # ---- reading

    @property
    def state(self) -> State:
        """How far the call has come."""
        return self.actor.state

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.actor.session.call_id

    @property
    def is_up(self) -> bool:
        """True while the call is established."""
        return self.actor.state is State.UP

    @property
    def cause(self) -> str:
        """Why the call ended, with details after a colon; empty before."""
        return self.actor.ending.text

    @property
    def cause_name(self) -> str:
        """The same without details: one of a closed set of names."""
        return self.actor.ending.cause

    @property
    def by(self) -> str:
        """Who ended it: local, remote, expired or transport; empty before."""
        return self.actor.ending.by

    @property
    def times(self) -> CallTimes:
        """When things happened, in monotonic seconds."""
        return self.actor.times

    @property
    def status(self) -> int:
        """Final status of the INVITE; 0 = none yet."""
        return self.actor.answer_status

    @property
    def error(self) -> CallError | None:
        """What the last INVITE of ours failed with."""
        return self.waiters.error

    @property
    def handler(self) -> MediaHandler | None:
        """What runs on the media now."""
        return self.media_work.handler

    @property
    def media_error(self) -> str:
        """What the media worker refused last, or could not go on with: a word, details after a colon."""
        return self.media_work.error

    @property
    def digits_sent(self) -> str:
        """The digits that were sent, in order."""
        return self.keypad.sent

    @property
    def digits_received(self) -> str:
        """The digits that came, in order."""
        return self.keypad.received

    @property
    def is_uac(self) -> bool:
        """True for a call that we placed."""
        return self.actor.is_uac

    @property
    def statistics(self) -> StreamStatistics | None:
        """Figures of the first media line: final after its end; while it is up, of the last second or so.

        None when there was no line, or nothing was counted yet. A plain load and `answer` count at the end only.
        """
        found = self.actor.media.statistics
        if found:
            return found[0]
        lines = self.actor.media.lines
        return lines[0].figures if lines else None

    @property
    def remote_media(self) -> tuple[str, int] | None:
        """Address and port that RTP comes from on the first media line; None before it does."""
        lines = self.actor.media.lines
        return lines[0].remote if lines else None

    @property
    def all_statistics(self) -> tuple[StreamStatistics, ...]:
        """Final figures of every media line that is closed."""
        return self.actor.media.statistics

    @property
    def ladder(self) -> Ladder:
        """The newest SIP messages of this call, secrets masked; empty unless the user agent has `trace=True`."""
        return self.sip_record.ladder() if self.sip_record is not None else Ladder()

    @property
    def callid(self) -> str:
        """The Call-ID, by the name that it has in the man page's context (C27)."""
        return self.call_id

    @property
    def peer(self) -> str:
        """As `get_peer`, by its name in the context."""
        return self.get_peer()

    def get_peer(self) -> str:
        """Name and address of the peer as they came, without tags and parameters (C26)."""
        request = self.invite_request
        return written_address(self.to if request is None else request.headers.get("From") or "")

    def get_param(self, *keys: str) -> Any:
        """The value of one key, or a list of the values of several (C42)."""
        if self.is_up and not SHOWN.isdisjoint(keys):
            self.ports.show(self.param)
        if len(keys) == 1:
            return self.param.get(keys[0])
        return [self.param.get(key) for key in keys]

    def set_param(self, **values: Any) -> "Call":
        """Change parameters; they count from the next INVITE or start of media on (C41)."""
        self.param.update(values)
        self.ports.reshape(self.param, tuple(values))
        return self

    def receive(self, message: Request | Response, source: Hop) -> None:
        """Take a message of this call; what a `receiver` delegates to (C40)."""
        self.actor.receive(message, source, 0, self.actor_loop.now())
        self.actor_loop.touch(self.actor)

    # ---- a call that came in

    def ring(self, status: int = 180, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Send a provisional response (RFC 3261 section 13.3.1.1)."""
        pairs = checked_pairs("headers", headers)
        self.actor.ring(status, pairs, self.actor_loop.now(), described=self.param.sdp is not None)
        self.actor_loop.touch(self.actor)

    def early_media(self, status: int = 183, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Send a provisional response with our answer, so that the caller hears us before the call is up."""
        described, pairs = self.param.sdp is not None, checked_pairs("headers", headers)
        self.actor.ring(status, pairs, self.actor_loop.now(), early_media=True, described=described)
        self.actor_loop.touch(self.actor)

    async def answer(self, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Take the call: 200 with our answer; returns when the ACK is there.

        Raises:
            CallEnded: the caller gave up, or the offer could not be taken.
        """
        self.waiters.raise_if_over()
        pairs = checked_pairs("headers", headers)
        self.waiters.renew_up()
        self.accept(pairs)
        await self.waiters.is_up()

    def accept(self, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Take the call without waiting; `on_up` and `cb_established` are called when the ACK is there.

        Raises:
            CallEnded: the caller gave up.
        """
        self.waiters.raise_if_over()
        pairs = checked_pairs("headers", headers)
        self.ports.take_over(self.param)
        self.actor.answer(pairs, self.actor_loop.now(), hold=self.param.take_hold())
        self.actor_loop.touch(self.actor)

    def reject(self, status: int = 486, reason: str = "", headers: Sequence[tuple[str, str]] = ()) -> None:
        """Refuse the call with a final status from 300 to 699."""
        pairs = checked_pairs("headers", headers, contacts=True)
        self.actor.reject(status, checked_text("reason", reason), pairs, self.actor_loop.now())
        self.actor_loop.touch(self.actor)

    # ---- both directions

    async def established(self) -> None:
        """Wait until a call that we placed is up.

        Raises:
            CallRejected: the peer answered 300 to 699.
            CallTimeout: no final answer in time.
            CallEnded: the call was given up on our side.
        """
        if self.actor.state is State.UP:
            return
        self.waiters.raise_if_over()
        await self.waiters.is_up()

    async def reinvite(self, **param: Any) -> "Call":
        """Negotiate the session anew with a re-INVITE (C27 to C29). Arguments are merged into the parameters.

        Without `cb_final` it returns when the answer is there; with it, at once. ring_time, cb_noanswer: as for the
        first INVITE. resp40x: the 401 or 407 that our last INVITE got, auth: credentials for it; then this INVITE, the
        call's first one too, carries them at once (C31).

        Raises:
            CallRejected: the peer refused; the call stays up.
            CallTimeout: no answer came.
        """
        if self._unplaced is not None:
            return await self._unplaced[0].place(self._unplaced[1], self.set_param(**param).param, self)
        if "resp40x" in param or "auth" in param:
            challenge = param.pop("resp40x", None)
            credentials.prepare(self.actor.session, challenge, param.pop("auth", None))
            if challenge is not None and self.state is State.OVER and self.actor.session.was_challenged:
                self._reopened()
        waiters = self.waiters
        while param.get("cb_final", self.param.cb_final) is None and waiters.up is not None and not waiters.up.done():
            await asyncio.wait((waiters.up,))  # one after the other: each waits for the answer to its own
        self.waiters.raise_if_over()
        clear = bool(param.pop("clear_sdp", self.param.clear_sdp))
        self.set_param(**param)
        waiters.renew_up(awaited=self.param.cb_final is None)
        self.send_invite(clear=clear)
        if waiters.up is not None:
            await waiters.up
        return self

    async def update(self, headers: Sequence[tuple[str, str]] = (), **param: Any) -> Response:
        """Negotiate the session anew with an UPDATE (RFC 3311), also before the answer, once a reliable 1xx agreed.

        param: merged into the parameters, as by `reinvite`. Media lines are not added. The final response is returned.

        Raises:
            CallRejected, CallTimeout: what was agreed before holds. 488 also for a 2xx whose answer is of no use.
            LocalProtocolError: an offer of either side is open, or nothing is agreed yet; nothing was sent.
        """
        self.waiters.raise_if_over()
        pairs = checked_pairs("headers", headers)
        self.set_param(**param)
        self.ports.take_over(self.param)
        number = self.actor.update(pairs, self.actor_loop.now(), hold=self.param.call_on_hold)
        self.param.take_hold()
        done = self.requests.sent(number)
        self.actor_loop.touch(self.actor)
        return await done

    def send_invite(self, *, clear: bool = False) -> None:
        """Send the INVITE that the parameters describe, the first one or a later one."""
        param, actor = self.param, self.actor
        headers, ack_lines, ring_time = param.header_pairs(), lines_of(param.ack_pairs()), param.ring_time or RING_TIME
        if clear:
            self.clear_sdp()
        self.ports.take_over(self.param)
        actor.invite(
            headers,
            self.actor_loop.now(),
            delayed=param.sdp_on_ack,
            hold=param.take_hold(),
            ring_time=ring_time,
            ack_lines=ack_lines,
        )
        self.actor_loop.touch(actor)

    def clear_sdp(self) -> None:
        """Drop ports and descriptions: the next ones are new (C14)."""
        self.actor.media.renew()
        self.param.update({"sdp": None, "sdp_peer": None, "media_lsocks": (), "media_ssocks": ()})

    async def hold(self) -> None:
        """Ask the peer to send nothing, by a re-INVITE (C22)."""
        await self.reinvite(call_on_hold=True)

    async def resume(self) -> None:
        """End the hold by a re-INVITE with our real address and direction."""
        await self.reinvite()

    def cancel(self, cb_final: Callback = None, **more: Any) -> bool:
        """Give up the INVITE of ours that is pending (C32); False when there is none. A second one is told too.

        cb_final: called with the parameters and `more`, merged, when the CANCEL has its final response or timed out.
        """
        given = {"cb_final": checked_callback("cb_final", cb_final), **more}
        if self.actor.session.cancel_open:
            self.requests.end_asked_again("CANCEL", given)
            return True
        cancelled = self.actor.cancel(self.actor_loop.now())
        if cancelled:
            self.requests.end_asked("CANCEL", given)
        self.actor_loop.touch(self.actor)
        return cancelled

    def bye(self, cb_final: Callback = None, **more: Any) -> Awaitable[None]:
        """End the call by what fits (BYE, CANCEL, refusal) at once; awaiting it waits until every figure is final.

        cb_final: called with the parameters and `more`, merged, when the BYE has its final response or timed out;
        without it `send_bye` is (C33). That of each further `bye` is called too, until that response.
        """
        given = {"cb_final": checked_callback("cb_final", cb_final), **more}
        if self.actor.state is not State.OVER and not self.times.bye_sent:
            self.requests.end_asked("BYE", given)
        elif self.actor.session.bye_open and (cb_final is not None or more):
            self.requests.end_asked_again("BYE", given)
        self.hang_up()
        return self._end_awaited()

    def hang_up(self) -> None:
        """End the call without waiting; harmless when it is over."""
        self.actor.hang_up(self.actor_loop.now())
        self.actor_loop.touch(self.actor)

    async def over(self) -> None:
        """Wait until the call is over and its figures are final; never raises `CallEnded`."""
        await self._end_awaited()

    def _end_awaited(self) -> "asyncio.Future[None]":
        return self.waiters.end(closed=self.closed or self._unplaced is not None)

    def request(
        self, method: str, body: bytes | str = b"", cb_final: Callback = None, **headers: str
    ) -> "asyncio.Future[Response]":
        """Send any other request within the dialog (C34); awaiting it gives the final response.

        headers: further header fields, `_` in a name stands for `-`; `content_type` is that of the body, text/plain or
        that of octets when not given. cb_final: called as ("OK" or "FAIL", call, {"code": …, "packet": …}) on the final
        response or timeout. That of REFER only says that the peer will try; `transfer` waits for what comes of it.

        Raises:
            CallRejected, CallTimeout: from the awaitable, when there is no `cb_final`.
            ConfigurationError: method, headers or content type cannot be written, or it is an UPDATE with an offer,
                which is `update`'s; nothing was sent.
        """
        self.waiters.raise_if_over()
        octets, kind, pairs = checked_request(method, body, headers)
        checked_callback("cb_final", cb_final)
        request_id = self.actor.request(method, octets, kind, pairs, self.actor_loop.now())
        future = self.requests.sent(request_id, cb_final)
        self.actor_loop.touch(self.actor)
        return future

    async def transfer(self, target: "str | Call") -> None:
        """Have the peer call somebody else (RFC 3515), or talk to the peer of another call of ours (RFC 5589).

        Returns when the peer reports that the new call is up; then ours can be hung up.

        Raises:
            CallRejected: the peer refused, or its call to the target failed.
        """
        self.waiters.raise_if_over()
        address, replaces = _taken_over(target) if isinstance(target, Call) else (target, None)
        checked_text("target", address)
        done = self.requests.sent_transfer(self.actor.refer(address, replaces, "", self.actor_loop.now()))
        self.actor_loop.touch(self.actor)
        try:
            await done
        finally:
            del done  # its error holds this frame

    # ---- digits

    async def dtmf(
        self,
        events: str,
        duration: int = 100,
        methods: str | Sequence[str] = "rfc2833,audio",
        cb_final: Callback = None,
    ) -> None:
        """Send digits and return when all are out, or with `cb_final` at once (C35 to C38).

        events: 0-9 A-D * #; any other character is a pause of `duration`. duration: milliseconds per digit.
        methods: in order of preference: rfc2833 (RTP events), audio (tones), info (SIP INFO, with a body that the peer
        takes; dtmf-relay or dtmf alone); names in any case, with commas or blanks between them. cb_final: called with
        "OK" when all are out, with "FAIL" and the reason, as text, when not; the reason is left out for a function that
        takes one argument.

        Raises:
            CallError: at once, an unknown method, more than 1000 digits and pauses, or an impossible duration. Without
                `cb_final`: no media runs, no method can be used, or the peer lets us send nothing now (it answered
                a=sendonly, or holds the call): what waited is dropped, also when the peer stops us half-way.
            CallEnded: the call ended before all digits were out; `digits_sent` has those that were. One is out when its
                first end packet, its whole tone or the response to its INFO is there.
        """
        self.waiters.raise_if_over()
        modes = call_digits.checked(events, duration, methods)
        if cb_final is not None:
            self.spawn(self._send_with_callback(events, duration, modes, cb_final))
            return
        await self.keypad.send(events, duration, modes, self.request)

    async def _send_with_callback(self, events: str, duration: int, modes: tuple[str, ...], callback: Callback) -> None:
        """Send digits, and tell the callback "OK" when all are out, "FAIL" and why when not (C37)."""
        try:
            await self.keypad.send(events, duration, modes, self.request)
        except CallError as error:
            self.call_back(callback, *(("FAIL", str(error)) if takes(callback, 2) else ("FAIL",)))
        else:
            self.call_back(callback, "OK")

    async def digits(
        self,
        count: int | None = None,
        timeout: float | None = None,
        *,
        until: str = "",
        between: float | None = None,
        first: float | None = None,
    ) -> str:
        """The next digits that come in, or came and were not read: up to `count`, or to the first of `until`.

            pin = await call.digits(4, timeout=10)
            number = await call.digits(until="#", first=8, between=3)

        count: how many; None = 1000 at most. until: digits that end the input ("#", "*#"); the one that came is not
        returned. timeout, first, between: seconds for all of them, until the first, and from one to the next; when they
        pass, what has come is returned. Digits after the last one wait for the next call; `flush_digits` drops them.

        Raises:
            CallEnded: the call ended before.
            ConfigurationError: nothing would end the input.
        """
        return await self.keypad.collect(count, timeout, until, between, first)

    def flush_digits(self) -> str:
        """Drop the digits that came and were not read, before a question; returns them."""
        dropped = "".join(self.keypad.unread)
        self.keypad.unread.clear()
        return dropped

    async def received_digits(self) -> AsyncIterator[str]:
        """Each digit as it comes in, until the call ends."""
        while True:
            try:
                digit = await self.keypad.next_digit()
            except CallEnded:
                return
            yield digit

    # ---- media

    def start_media(self, handler: MediaHandler) -> "asyncio.Future[str]":
        """Run a handler on every line of the call, in place of what ran before.

        It begins at once; awaiting it waits until source and output are open. When its source ends, or cannot be had,
        `cb_rtp_done` is called, or else the call is hung up.

        Raises:
            ConfigurationError: it is no `MediaHandler`. MediaError: from the awaitable; the call goes on with what it
                sent before. CallEnded: from the awaitable, when the call ends first.
        """
        return self.media_work.start(checked_handler(handler))

    def start_under_plays(self, handler: MediaHandler) -> None:
        """Run a handler at the start of each session, as `init_media`; what `play` sends goes on over it."""
        self.media_work.start(handler, under=True)

    def play(self, source: str | Path | SourceSpec, repeat: int = 1, *, until: str = "") -> "asyncio.Future[str]":
        """Send a file, or another source (see `media.messages`), over what is sent now, which goes on afterwards.

        It begins at once, in place of an earlier play; awaiting it waits for its end and returns the digit that ended
        it, or nothing when it was played, stopped or replaced. Cancelling the wait stops it. repeat: how often a file
        is played; less than 0 = until it is stopped. until: digits that end it, such as "#" or "0123456789*#"; the one
        that did is not read again by `digits`.

        Raises:
            ConfigurationError: there can be no such file or source, or until has something that is no digit.
            MediaError: from the awaitable: it cannot be played, or the peer lets us send nothing for 30 s. Where nobody
                waits, it is logged, counted, and the call's `failure`.
            CallEnded: from the awaitable, when the call ends first.
        """
        if not isinstance(until, str) or not call_digits.DIGITS.issuperset(until):
            raise ConfigurationError(f"until {until!r}: digits are 0-9 A-D * #")
        return self.media_work.play(played_source(source, repeat), until)

    def stop_playing(self) -> None:
        """End what `play` sends; what was sent before goes on. Harmless when nothing is played."""
        self.media_work.stop_playing()

    def record(self, file: str | Path, sides: str = "heard") -> "asyncio.Future[str]":
        """Write what comes in to a file; ".wav" is decoded, any other name gets the payload as received.

        It begins at once; awaiting it waits until the file is open. A WAV file keeps one rate through every change of
        codec and can be read while it is written; the same file named again goes on. sides: "heard", or, in a ".wav"
        file, with what is sent: "stereo" (left heard, right sent) or "mixed".

        Raises:
            ConfigurationError: no file can have that name, or it cannot hold both directions.
            MediaError: from the awaitable: it cannot be written. Where nobody waits, and when the disk is full later,
                it is logged, counted, and the call's `failure`.
            CallEnded: from the awaitable, when the call ends first.
        """
        return self.media_work.record(recording_sink(file, sides))

    def stop_recording(self) -> None:
        """End the recording; its file can be read at any moment, and is complete when the call is over."""
        self.media_work.record(("none",))

    def rtp_cleanup(self) -> None:
        """Stop the running media only; signalling stays, the next INVITE of either side starts it again (C25)."""
        self.media_work.stop()

    def cleanup(self) -> None:
        """Let go of the call without a BYE (C24): media stops, pending messages are given up. Idempotent."""
        if not self.closed:
            self.actor.abandon(self.actor_loop.now())
            self.actor_loop.touch(self.actor)

    # ---- callbacks and coroutines

    def _reopened(self) -> None:
        """Its first INVITE is sent once more: what was over is not."""
        self.set_param(sdp_peer=None, media_lsocks=(), media_ssocks=())  # its ports were given back
        self.closed = False
        self.waiters.forgive()
        self.tasks.unbound()
        self.owner.reopen(self)

    def call_back(self, callback: Callback, *arguments: Any) -> Any:
        """Invoke a callback of any form; a coroutine runs as a task of the call."""
        return invoke(callback, *arguments, spawn=self.spawn)

    def decide(
        self,
        callback: Callback,
        *arguments: Any,
        then: Callable[[Any], None],
        refuse: Callable[[], None] | None = None,
    ) -> None:
        """Invoke a callback whose result decides about this call, in every form; `then` gets the result.

        It gets that of a coroutine function when it has returned: the call may be over by then. refuse: refuses what
        was to be decided within a call that is up, when the callback or `then` fails; the call goes on (RFC 3261 14.2).
        Without it, and before the answer, a failure ends the call.
        """
        later = Decision(self.actor, self.actor_loop, self.miss, then=then, refuse=refuse).ask(callback, *arguments)
        if later is not None:
            self.spawn(later)

    def spawn(self, awaitable: Awaitable[Any]) -> "asyncio.Task[None]":
        """Run a coroutine for this call: what it raises ends this call only, and the end of the call bounds it."""
        return self.tasks.run(awaitable, self.miss, self.grace)


def _taken_over(call: Call) -> tuple[str, Replaces]:
    """Whom the peer of a transfer is to call so that it takes over a call of ours, and by which Replaces.

    Raises:
        CallError: that call is not up.
    """
    session = call.actor.session
    replaces, dialog = session.replaces_of(), session.dialog
    if replaces is None or dialog is None:
        raise CallError("the other call is not up, so nobody can take it over")
    return dialog.remote_target, replaces
