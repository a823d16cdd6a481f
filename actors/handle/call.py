"""The call as its user holds it: the methods of the man page `Net::SIP::Simple::Call`, awaiting and callback forms.

The call worker owns a live call, so a dropped handle loses nothing. Commands act at once; their output leaves with the
next flush. When the call is over, every pending and later await on it raises `CallEnded`. The parts of the handle hold
the state: waiters, digits, media, requests, coroutines. `notice_handlers` maps the actor's notices to callbacks. The
handle must not decide what SIP permits; its actor does.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, Unpack

from sipswarm.media.messages import SourceSpec
from sipswarm.sipcore.message.header_lines import lines_of
from sipswarm.sipcore.message.hop import Hop, bracketed
from sipswarm.sipcore.message.messages import Request, Response

from ..bus.messages import CallFinished
from ..call.actor import CallActor
from ..call.state import Planned, State
from ..errors import CallEnded, CallError, ConfigurationError, WrongState, forbidden_by_state
from ..runtime.actor_loop import ActorLoop
from ..runtime.callbacks import Callback, invoke, takes
from ..trace.recorder import CallRecord
from . import credentials
from . import digits as call_digits
from .call_options import RING_TIME, CallOptions, ReinviteOptions
from .call_owner import CallOwner, Placer
from .call_reading import CallReading
from .decisions import Decision
from .digits import CallDigits
from .given_text import (
    check_headers,
    checked_callback,
    checked_flag,
    checked_kept,
    checked_pairs,
    checked_referral,
    checked_refusal,
    checked_request,
    checked_status,
    checked_text,
)
from .media_handlers import MediaHandler, checked_handler, played_source, recording_sink
from .media_lease import MediaLeases
from .media_ports import SHOWN, CallMediaPorts
from .media_work import MediaWork
from .parameters import CALLED_WITH, CallParameters, check_ack, checked_end, checked_later, checked_update
from .requests import CallRequests, taken_over
from .tasks import CallTasks
from .waiters import Settled, Waiters

GRACE: Final = 30.0
"""Seconds that the coroutines of a call have for their own clean-up after its end."""


class Call(CallReading):
    """One call. Made by `UserAgent.invite` or given to a robot; or by hand, then `reinvite` sends its first INVITE.

    Args:
        control: the user agent, which has been entered; or a call, for a further one of the same user agent that takes
            what `ctx` leaves out (from, contact, route, auth) from that call.
        ctx: the target, as for `UserAgent.invite`; a call is that call itself.
        param: parameters, see `CallParameters`, and values of any further name; also an attribute.

    Raises:
        ConfigurationError: an argument is not valid, or no user agent has placed or taken the call `control` yet.
    """

    failure = ""
    """Name of the expectation that was missed."""
    expected_digits = ""
    """The digits that the remote side should send, for the judgement."""
    on_up: "Callable[[Call], None] | None" = None
    """Called when the call is established."""
    on_over: "Callable[[Call], None] | None" = None
    """Called once, when every metric of the call is final."""
    judge: Callable[[CallFinished], str] | None = None
    """Returns the name of the missed expectation; called when every metric of the call is final."""
    report: Callable[[CallFinished], None] | None = None
    """Takes the row of this call instead of the supervisor."""
    planned: Planned | None = None
    """Its place in the plan of a load."""
    receiver: Callable[..., None] | None = None
    """Takes the messages of this call instead of its actor, as (message, source) or (message, source, leg); it may
    pass them on to `receive`."""
    receives_itself = False
    """Whether a subclass has a `receive` of its own, which takes the messages; not for users."""
    closed = False
    """Whether every metric is final."""
    kept, adopted = "", False
    """The text of `keep`; whether another process had the call before, and was lost."""
    grace = GRACE
    """Seconds after the end until coroutines that still run for the call are cancelled."""
    _unplaced: "tuple[Placer[Call], str | Mapping[str, Any]] | None" = None
    """User agent and target of the first INVITE, while that was not sent."""
    _placer: "Placer[Call] | None" = None
    """Places calls that are made of this one."""
    _context: Mapping[str, Any] | None = None
    """The context that it was placed with."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.receives_itself = cls.receive is not Call.receive

    def __new__(
        cls, control: "Placer[Call] | Call | None" = None, ctx: "str | Mapping[str, Any] | Call" = "", **param: Any
    ) -> Self:
        """Return the call itself for a call that is up: there is one handle for a dialog."""
        return ctx if isinstance(ctx, cls) else super().__new__(cls)

    def __init__(self, control: "Placer[Call] | Call", ctx: "str | Mapping[str, Any] | Call", **param: Any) -> None:
        if isinstance(control, Call) and not isinstance(ctx, Call):
            control, ctx = control._like(ctx)
        if not isinstance(control, Call) and not hasattr(control, "make"):
            raise ConfigurationError(f"control is {type(control).__name__}, neither a user agent nor a call")
        if ctx is self:
            self.set_param(**param)
        elif not isinstance(control, Call) and not isinstance(ctx, Call):
            control.make(self, ctx, CallParameters(**param))
            self._unplaced = control, ctx
            self.belongs_to(control, ctx)

    def belongs_to(self, placer: "Placer[Call]", context: str | Mapping[str, Any] = "") -> None:
        """Note who places calls that are made of this one, `Call(call, to)`; not for users.

        Args:
            context: what it was placed with.
        """
        self._placer, self._context = placer, dict(context) if isinstance(context, Mapping) else None

    def _like(self, ctx: str | Mapping[str, Any]) -> "tuple[Placer[Call], Mapping[str, Any]]":
        """Return user agent and context of a further call, with what this one has and `ctx` has not."""
        if self._placer is None:
            raise ConfigurationError("control is a call that no user agent has placed or taken yet")
        own = {name: value for name, value in (self._context or {}).items() if name not in ("to", "callid")}
        return self._placer, {**own, **(ctx if isinstance(ctx, Mapping) else {"to": ctx})}

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
        kept: str | None = None,
    ) -> Self:
        """Set up a handle, new or not placed yet; not for users."""
        self.to, self.sip_record = to, sip_record
        self.planned = None if planned is None else Planned(planned)
        self.kept, self.adopted = kept or "", kept is not None
        self.param = param
        self.actor = actor
        """The call's decisions; not for users."""
        self.owner = owner
        """The call worker; not for users."""
        self.actor_loop = actor_loop
        """Runs the call; not for users."""
        self.waiters = Waiters(actor, actor_loop)
        """Futures of this call; not for users."""
        self.keypad = CallDigits(actor, actor_loop, self.waiters)
        """The digits of the call; not for users."""
        self.ports = CallMediaPorts(actor, media_leases)
        """Media ports that the user provides; not for users."""
        self.media_work = MediaWork(actor, actor_loop, self.waiters)
        """Sources, plays and recordings of the call; not for users."""
        self.requests = CallRequests(self.waiters)
        """The requests within the dialog; not for users."""
        if self._unplaced is None:
            self.tasks = CallTasks(actor, actor_loop)
            """The coroutines of the call; not for users."""
        else:
            self.tasks.serve(actor)
            self._unplaced = None
        self.scenario = scenario
        actor.report_to(self)
        return self

    # ---- for the code that places or answers it; not for users

    def attend(
        self,
        *,
        on_up: "Callable[[Call], None] | None" = None,
        on_over: "Callable[[Call], None] | None" = None,
        judge: Callable[[CallFinished], str] | None = None,
        report: Callable[[CallFinished], None] | None = None,
        expected_digits: str | None = None,
        planned: tuple[float, float, int] | None = None,
    ) -> None:
        """Set the attributes of these names, `planned` as for `Planned`; not for users. The others stay."""
        self.on_up, self.on_over = on_up or self.on_up, on_over or self.on_over
        self.judge, self.report = judge or self.judge, report or self.report
        self.expected_digits = self.expected_digits if expected_digits is None else expected_digits
        self.planned = self.planned if planned is None else Planned(*planned)

    def receive_by(self, receiver: Callable[..., None]) -> None:
        """Give the messages of this call to a function instead of its actor; not for users."""
        self.receiver = receiver

    def miss(self, expectation: str) -> None:
        """Note the name of a missed expectation; the first one counts; not for users."""
        self.failure = self.failure or expectation

    def judged(self, row: CallFinished, otherwise: Callable[[CallFinished], str]) -> str:
        """Return the failure of the call, now that every metric is final; not for users.

        Args:
            row: of the call.
            otherwise: judges where there is no `judge`.
        """
        self.miss("" if self.failure else (self.judge or otherwise)(row))
        return self.failure

    def close_record(self, over: Callable[[CallRecord | None], CallRecord | None]) -> None:
        """Close the record of SIP messages, which is complete; not for users.

        Args:
            over: returns the record that is kept.
        """
        self.sip_record = over(self.sip_record)

    def close(self) -> bool:
        """Note that every metric is final; False when that was noted, or the call was placed again; not for users."""
        if self.closed or self.actor.state is not State.OVER:
            return False
        self.closed = True
        return True

    # ---- parameters and messages

    def get_param(self, *keys: str) -> Any:
        """Return the value of one key, or a list of the values of several.

        `leg` and `sdp` are those of the call where the user gave none: "udp:ADDRESS:PORT", and the local description.
        """
        if self.is_up and not SHOWN.isdisjoint(keys):
            self.ports.show(self.param)
        values = [self._value_of(key) for key in keys]
        return values[0] if len(keys) == 1 else values

    def _value_of(self, key: str) -> Any:
        found = self.param.get(key)
        if found is None and key == "leg":
            bound = self.actor.session.config.leaves_from
            return f"{bound.transport}:{bracketed(bound.host)}:{bound.port}"
        return self.actor.media.exchange.local if found is None and key == "sdp" else found

    def set_param(self, **values: Any) -> "Call":
        """Change parameters, from the next INVITE or start of media on."""
        self.param.update(checked_later(values, placed=self._unplaced is None))
        self.ports.reshape(self.param, tuple(values))
        return self

    def receive(self, message: Request | Response, source: Hop) -> None:
        """Take a message of this call from its `source`; a `receiver` passes messages on by this.

        That of a subclass gets each message instead; it may have a third argument, as a `receiver`.
        """
        self.actor.receive(message, source, 0, self.actor_loop.now())
        self.actor_loop.touch(self.actor)

    def add_cleanup(self, callback: Callback) -> None:
        """Call one more callback as (call) at the clean-up, after `cb_cleanup`; CallEnded when the call is over."""
        checked_callback("callback", callback, CALLED_WITH["cb_cleanup"])
        self.waiters.raise_if_over()
        self.param.update({"call_cleanup": (*(self.param.get("call_cleanup") or ()), callback)})

    def keep(self, text: str) -> None:
        """Keep a text of at most 256 octets for `resume(call)`, in `kept`; ConfigurationError when it is longer."""
        self.kept = checked_kept(text)
        self.actor.note_change()
        self.actor_loop.touch(self.actor)

    # ---- an incoming call

    @forbidden_by_state()
    def ring(self, status: int = 180, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Send a `status` from 101 to 199 with further `headers`, (name, value) (RFC 3261 section 13.3.1.1).

        Harmless when the call is over.

        Raises:
            WrongState: this side placed the call.
        """
        checked_status("status", status)
        self._check_incoming("ring")
        pairs = checked_pairs("headers", headers)
        self.actor.ring(status, pairs, self.actor_loop.now(), described=self.param.sdp is not None)
        self.actor_loop.touch(self.actor)

    @forbidden_by_state()
    def early_media(self, status: int = 183, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Send a `status` as `ring`, `headers` and the answer: the remote side gets media before the call is up.

        Raises:
            WrongState: this side placed the call.
        """
        checked_status("status", status)
        self._check_incoming("early_media")
        described, pairs = self.param.sdp is not None, checked_pairs("headers", headers)
        self.actor.ring(status, pairs, self.actor_loop.now(), early_media=True, described=described)
        self.actor_loop.touch(self.actor)

    async def answer(self, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Answer the call, or a later INVITE, with 200; return when the ACK has arrived, or the INVITE was withdrawn.

        Raises:
            CallEnded: the remote side gave up, or the offer could not be accepted.
            CallRejected: the offer of a later INVITE could not be accepted; the call stays up.
            WrongState: no INVITE waits for an answer; nothing has changed.
        """
        waits = self.actor.awaits_answer
        self.accept(headers)
        if waits:
            self.waiters.renew_up(for_ack=True)
            await self.waiters.is_up()

    @forbidden_by_state()
    def accept(self, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Answer the call without waiting; `on_up` and `cb_established` are called when the ACK has arrived.

        Raises:
            CallEnded: the remote side gave up.
            WrongState: no INVITE waits for an answer; nothing has changed.
        """
        self.waiters.raise_if_over()
        pairs = checked_pairs("headers", headers)
        self.ports.take_over(self.param)
        self.actor.answer(pairs, self.actor_loop.now(), hold=self.param.call_on_hold)
        self.param.take_hold()
        self.actor_loop.touch(self.actor)

    @forbidden_by_state()
    def reject(self, status: int = 486, reason: str = "", headers: Sequence[tuple[str, str]] = ()) -> None:
        """Refuse the call with a `status` from 300 to 699, its `reason` and further `headers`, (name, value).

        A later INVITE too. Harmless when the call is over.

        Raises:
            WrongState: this side placed the call, or no INVITE waits for an answer.
        """
        checked_refusal("status", status)
        self._check_incoming("reject")
        pairs = checked_pairs("headers", headers, contacts=True)
        self.actor.reject(status, checked_text("reason", reason), pairs, self.actor_loop.now())
        self.actor_loop.touch(self.actor)

    def _check_incoming(self, method: str) -> None:
        """Refuse a step towards an answer where this side waits for one."""
        if self.is_uac and self.state in (State.IDLE, State.CALLING):
            raise WrongState(f"{method}: this side placed the call; cancel() or bye() ends it")

    # ---- both directions

    async def established(self) -> None:
        """Wait until an outgoing call is up.

        Raises:
            CallRejected: the remote side answered 300 to 699.
            CallTimeout: no final answer came in time.
            CallEnded: the call was given up on this side.
        """
        if self.actor.state is State.UP:
            return
        self.waiters.raise_if_over()
        await self.waiters.is_up()

    def reinvite(self, **param: Unpack[ReinviteOptions]) -> "Awaitable[Call]":
        """Negotiate the session again with a re-INVITE. Arguments are merged into the parameters, and stay there.

        Without `cb_final` it is awaited, and returns when the answer has arrived. With it, also from an earlier INVITE,
        it acts at once, awaited or not; `cb_final=None` takes it away. The first INVITE of a call that was made by hand
        is awaited in both forms. With `resp40x` or `auth` this INVITE, the call's first one too, carries credentials.

        Args:
            param: see `CallParameters`; besides: resp40x (the 401 or 407 to the last INVITE), auth (credentials for
                it). ring_time, cb_noanswer: as for the first INVITE.

        Raises:
            CallRejected: the remote side refused; the call stays up.
            CallTimeout: no answer came.
        """
        given: dict[str, Any] = {**param}
        if self._unplaced is not None:
            return self._unplaced[0].place(self._unplaced[1], self.set_param(**given).param, self)
        if given.get("cb_final", self.param.cb_final) is None:
            return self._renegotiated(given)
        self._use_credentials(given)
        self._send_later_invite(given)
        return Settled(self)

    async def _renegotiated(self, given: dict[str, Any]) -> "Call":
        """Send a later INVITE and wait for its answer."""
        self._use_credentials(given)
        waiters = self.waiters
        while waiters.up is not None and not waiters.up.done():
            await asyncio.wait((waiters.up,))  # one after the other: each waits for the answer to its own
        self._send_later_invite(given)
        waiters.renew_up()
        await waiters.is_up()
        return self

    def _use_credentials(self, given: dict[str, Any]) -> None:
        """Take the answer to a challenge from the arguments of `reinvite`."""
        if "resp40x" in given or "auth" in given:
            challenge = given.pop("resp40x", None)
            credentials.prepare(self.actor.session, challenge, given.pop("auth", None))
            if challenge is not None and self.state is State.OVER and self.actor.session.was_challenged:
                self._reopened()

    def _send_later_invite(self, given: dict[str, Any]) -> None:
        """Send the INVITE that the parameters and these arguments describe."""
        self.waiters.raise_if_over()
        clear = checked_flag("clear_sdp", given.pop("clear_sdp", self.param.clear_sdp))
        check_ack(given, self.param)
        with self.ports.undone_if_refused(self.param):
            self.set_param(**given)
            self.send_invite(clear=clear)

    async def update(self, headers: Sequence[tuple[str, str]] = (), **param: Unpack[CallOptions]) -> Response:
        """Negotiate the session again with an UPDATE, also before the answer, once a reliable 1xx agreed (RFC 3311).

        Media lines are not added.

        Args:
            headers: further header fields.
            param: merged into the parameters, as by `reinvite`.

        Returns:
            The final response.

        Raises:
            CallRejected, CallTimeout: the earlier agreement holds. 488 also for a 2xx with an unusable answer.
            WrongState: an offer of either side is open, or nothing is agreed yet; nothing was sent.
        """
        self.waiters.raise_if_over()
        pairs = checked_pairs("headers", headers)
        with self.ports.undone_if_refused(self.param):
            self.set_param(**checked_update(param))
            self.ports.take_over(self.param)
            with forbidden_by_state():
                number = self.actor.update(pairs, self.actor_loop.now(), hold=self.param.take_hold())
        done = self.requests.sent(number)
        self.actor_loop.touch(self.actor)
        return await done

    @forbidden_by_state()
    def send_invite(self, *, clear: bool = False) -> None:
        """Send the INVITE that the parameters describe, the first one or a later one; not for users."""
        param, actor = self.param, self.actor
        headers, ack_lines, ring_time = param.header_pairs(), lines_of(param.ack_pairs()), param.ring_time or RING_TIME
        if clear:
            self.ports.check_clear()
            self.clear_sdp()
        self.ports.take_over(self.param)
        actor.invite(
            headers,
            self.actor_loop.now(),
            delayed=param.sdp_on_ack,
            hold=param.take_hold(),
            ring_time=ring_time,
            ack_lines=ack_lines,
            asks=param.cb_ack is not None,
        )
        self.actor_loop.touch(actor)

    def clear_sdp(self) -> None:
        """Drop ports and descriptions: the next ones are new; not for users."""
        self.actor.media.renew()
        self.param.update({"sdp": None, "sdp_peer": None, "media_lsocks": (), "media_ssocks": ()})

    def hold(self) -> "Awaitable[Call]":
        """Request by a re-INVITE that the remote side sends no media; awaited as `reinvite`."""
        return self.reinvite(call_on_hold=True)

    def resume(self) -> "Awaitable[Call]":
        """End the hold by a re-INVITE with the usual address and direction; awaited as `reinvite`."""
        return self.reinvite()

    def cancel(self, cb_final: Callback = None, **more: Any) -> bool:
        """Give up the local INVITE that is pending; False when there is none. A further call gets the result too.

        Args:
            cb_final: called with the parameters and `more`, merged, when the CANCEL has its final response or timed
                out.
        """
        given = checked_end("cancel", cb_final, more)
        if self.actor.session.cancel_open:
            self.requests.end_asked_again("CANCEL", given)
            return True
        cancelled = self.actor.cancel(self.actor_loop.now())
        if cancelled:
            self.requests.end_asked("CANCEL", given)
        self.actor_loop.touch(self.actor)
        return cancelled

    def bye(self, cb_final: Callback = None, **more: Any) -> Awaitable[None]:
        """End the call at once by BYE, CANCEL or a refusal; awaiting it waits until every metric is final.

        The callback of each further `bye` is called too, until that response.

        Args:
            cb_final: called with the parameters and `more`, merged, when the BYE has its final response or timed out;
                without it `send_bye` is called.
        """
        given = checked_end("bye", cb_final, more)
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
        """Wait until the call is over and its metrics are final; never raises `CallEnded`."""
        await self._end_awaited()

    def _end_awaited(self) -> "asyncio.Future[None]":
        return self.waiters.end(closed=self.closed or self._unplaced is not None)

    @forbidden_by_state()
    def request(
        self, method: str, body: bytes | str = b"", cb_final: Callback = None, **headers: str
    ) -> "asyncio.Future[Response]":
        """Send any other request within the dialog; awaiting it returns the final response.

        That of REFER only means that the remote side will try; `transfer` waits for the outcome.

        Args:
            headers: further header fields, `_` in a name stands for `-`. `content_type` is that of the body, default
                text/plain or that of octets.
            cb_final: called as ("OK" or "FAIL", call, {"code": …, "packet": …}) on the final response or timeout.

        Raises:
            CallRejected, CallTimeout: from the awaitable, when there is no `cb_final`.
            ConfigurationError: method, headers or content type cannot be written, or it is an UPDATE with an offer,
                which `update` sends; nothing was sent.
        """
        self.waiters.raise_if_over()
        check_headers("request", headers, ("method", "body", "content_type", "cb_final"))
        octets, kind, pairs = checked_request(method, body, headers)
        checked_callback("cb_final", cb_final, CALLED_WITH["cb_final"])
        request_id = self.actor.request(method, octets, kind, pairs, self.actor_loop.now())
        future = self.requests.sent(request_id, cb_final)
        self.actor_loop.touch(self.actor)
        return future

    async def transfer(self, target: "str | Call") -> None:
        """Transfer the remote side to another target (RFC 3515), or to that of another local call (RFC 5589).

        Returns when the remote side reports that the new call is up; then this call can be hung up.

        Args:
            target: SIP URI (`sip:` may be left out), tel URI, or the other call.

        Raises:
            ConfigurationError: the target is none of these; nothing was sent.
            CallRejected: the remote side refused, or its call to the target failed.
        """
        self.waiters.raise_if_over()
        taken = taken_over(target.actor) if isinstance(target, Call) else None
        address, replaces = taken or (checked_referral("target", target), None)
        with forbidden_by_state():
            number = self.actor.refer(address, replaces, "", self.actor_loop.now())
        done = self.requests.sent_transfer(number)
        self.actor_loop.touch(self.actor)
        try:
            await done
        finally:
            del done  # its error holds this frame

    # ---- digits

    def dtmf(
        self,
        events: str,
        duration: int = 100,
        methods: str | Sequence[str] = "rfc2833,audio",
        cb_final: Callback = None,
    ) -> Awaitable[None]:
        """Send digits: awaited, it returns when all are sent. With `cb_final` it acts at once, awaited or not.

        Args:
            events: 0-9 A-D * #; any other character is a pause of `duration`.
            duration: milliseconds per digit.
            methods: in order of preference: rfc2833 (RTP events), audio (tones), info (SIP INFO, with a body that the
                remote side accepts; dtmf-relay or dtmf alone). Names in any case, with commas or blanks between them.
            cb_final: called with "OK" when all are sent, else with "FAIL" and the reason as text. A function of one
                argument gets no reason, and one of two an empty one with "OK".

        Raises:
            ConfigurationError: at once: an argument of another type, such as a duration that is no whole number.
            CallError: at once: an unknown method, more than 1000 digits and pauses, or an impossible duration. Without
                `cb_final`: no media runs, no method can be used, or the remote side forbids sending now (it answered
                a=sendonly, or holds the call). Waiting digits are dropped, also when that happens half-way.
            CallEnded: the call ended before all digits were sent; `digits_sent` has those that were. A digit is sent
                after its first end packet, its whole tone or the response to its INFO.
        """
        if cb_final is None:
            return self._send_digits(events, duration, methods)
        self.waiters.raise_if_over()
        modes = call_digits.checked(events, duration, methods)
        checked_callback("cb_final", cb_final, None if takes(cb_final, 2) else ("status",))
        self.spawn(self._send_with_callback(events, duration, modes, cb_final))
        return Settled(None)

    async def _send_digits(self, events: str, duration: int, methods: str | Sequence[str]) -> None:
        self.waiters.raise_if_over()
        modes = call_digits.checked(events, duration, methods)
        await self.keypad.send(events, duration, modes, self.request)

    async def _send_with_callback(self, events: str, duration: int, modes: tuple[str, ...], callback: Callback) -> None:
        """Send digits, and call back with "OK" when all are sent, else with "FAIL" and the reason."""
        try:
            await self.keypad.send(events, duration, modes, self.request)
        except CallError as error:
            self.call_back("cb_final", callback, *(("FAIL", str(error)) if takes(callback, 2) else ("FAIL",)))
        else:
            self.call_back("cb_final", callback, *(("OK",) if takes(callback, 1) else ("OK", "")))

    async def digits(
        self,
        count: int | None = None,
        timeout: float | None = None,
        *,
        until: str = "",
        between: float | None = None,
        first: float | None = None,
    ) -> str:
        """Return the next unread digits, received or to come: up to `count`, or to the first of `until`.

            pin = await call.digits(4, timeout=10)
            number = await call.digits(until="#", first=8, between=3)

        Digits after the last one wait for the next call; `flush_digits` drops them.

        Args:
            count: number of digits; None = 1000 at most.
            until: digits that end the input ("#", "*#"); the one that ended it is not returned.
            timeout, first, between: seconds for all of them, until the first, and from one to the next; when they pass,
                the digits so far are returned.

        Raises:
            CallEnded: the call ended before.
            ConfigurationError: the arguments set no end of the input, or one is no number, no time or no digit.
        """
        return await self.keypad.collect(count, timeout, until, between, first)

    def flush_digits(self) -> str:
        """Drop the unread digits, before a prompt; return them."""
        return self.keypad.drop()

    async def received_digits(self) -> AsyncIterator[str]:
        """Yield each digit as it is received, until the call ends."""
        while True:
            try:
                digit = await self.keypad.next_digit()
            except CallEnded:
                return
            yield digit

    # ---- media

    def start_media(self, handler: MediaHandler) -> "asyncio.Future[str]":
        """Run a handler on every line of the call, instead of the one that ran before.

        It begins at once; awaiting it waits until source and output are open. When its source ends, or cannot be
        opened, `cb_rtp_done` is called; without it the call is hung up.

        Raises:
            ConfigurationError: the argument is no `MediaHandler`.
            MediaError: from the awaitable; the call goes on with its earlier source.
            CallEnded: from the awaitable, when the call ends first.
        """
        return self.media_work.start(checked_handler(handler))

    def start_under_plays(self, handler: MediaHandler) -> None:
        """Run a handler at the start of each session, as `init_media`, under a `play`; not for users."""
        self.media_work.start(handler, under=True)

    def play(self, source: str | Path | SourceSpec, repeat: int = 1, *, until: str = "") -> "asyncio.Future[str]":
        """Send a file, or another source (see `media.messages`), over the current source, which goes on afterwards.

        It begins at once and replaces an earlier play. Awaiting it waits for its end and returns the digit that ended
        it; empty when it was played, stopped or replaced. Cancelling the wait stops it.

        Args:
            source: name of a file, or a source.
            repeat: how often a file is played; less than 0 = until it is stopped.
            until: digits that end it, such as "#" or "0123456789*#"; `digits` does not return the one that did.

        Raises:
            ConfigurationError: there can be no such file or source, or `until` has other characters than digits.
            MediaError: from the awaitable: it cannot be played, or the remote side forbids sending for 30 s. If it is
                not awaited, the error is logged, counted, and the call's `failure`.
            CallEnded: from the awaitable, when the call ends first.
        """
        return self.media_work.play(played_source(source, repeat), call_digits.checked_digits("until", until))

    def stop_playing(self) -> None:
        """End the play; the earlier source goes on. Harmless without a play."""
        self.media_work.stop_playing()

    def record(self, file: str | Path, sides: str = "heard") -> "asyncio.Future[str]":
        """Write the received audio to a file; ".wav" is decoded, any other name gets the payload as received.

        It begins at once; awaiting it waits until the file is open. A WAV file keeps one rate through every change of
        codec and can be read while it is written; the same file named again goes on.

        Args:
            file: name of the file.
            sides: "heard", or, in a ".wav" file, with the sent audio: "stereo" (left received, right sent) or "mixed".

        Raises:
            ConfigurationError: no file can have that name, or it cannot hold both directions.
            MediaError: from the awaitable: it cannot be written. If it is not awaited, and when the disk is full later,
                the error is logged, counted, and the call's `failure`.
            CallEnded: from the awaitable, when the call ends first.
        """
        return self.media_work.record(recording_sink(file, sides))

    def stop_recording(self) -> None:
        """End the recording; its file can be read at any moment, and is complete when the call is over."""
        self.media_work.record(("none",))

    def rtp_cleanup(self) -> None:
        """Stop the running media only; signalling stays, and the next INVITE of either side starts the media again."""
        self.media_work.stop()

    def cleanup(self) -> None:
        """Release the call without a BYE: media stops, pending messages are given up. Idempotent."""
        if not self.closed:
            self.actor.abandon(self.actor_loop.now())
            self.actor_loop.touch(self.actor)

    # ---- callbacks and coroutines

    def _reopened(self) -> None:
        """Prepare the handle for another first INVITE: it is not over any more."""
        self.set_param(sdp_peer=None, media_lsocks=(), media_ssocks=())  # its ports were released
        self.closed = False
        self.waiters.forgive()
        self.tasks.unbound()
        self.owner.reopen(self)

    def call_back(self, name: str, callback: Callback, *arguments: Any) -> Any:
        """Invoke a callback of any form; a coroutine runs as a task of the call; not for users.

        Args:
            name: of the parameter that it is, for the log.
        """
        what = f"the callback {name}"
        spawn = partial(self.spawn, what=what)
        call = partial(invoke, callback, *arguments, spawn=spawn, what=what)
        return self.actor_loop.turns.call(what, callback, call)

    def decide(
        self,
        what: str,
        callback: Callback,
        *arguments: Any,
        then: Callable[[Any], None],
        refuse: Callable[[], None] | None = None,
    ) -> None:
        """Invoke a callback, of any form, whose result decides about this call; not for users.

        A failure of it or of `then` ends the call, before the answer in any case, after it unless there is `refuse`.

        Args:
            what: the callback, for the log.
            then: called with the result, of a coroutine function when it has returned; the call may be over by then.
            refuse: refuses the request in a call that is up, which goes on after such a failure (RFC 3261 14.2).
        """
        decision = Decision(self.actor, self.actor_loop, self.miss, what, then=then, refuse=refuse)
        later = decision.ask(callback, *arguments)
        if later is not None:
            self.spawn(later, what=what)

    def spawn(self, awaitable: Awaitable[Any], *, what: str = "a coroutine") -> "asyncio.Task[None]":
        """Run a coroutine for this call: its exception ends this call only, and the end of the call bounds it.

        Args:
            awaitable: the coroutine.
            what: its name in the log.
        """
        return self.tasks.run(awaitable, self.miss, self.grace, what)
