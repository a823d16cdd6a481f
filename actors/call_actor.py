"""One call's decisions: its SIP session, its media streams and what its user wants, joined without any I/O.

Input are SIP messages, media events, commands of the user and time; output are messages to transmit, media commands and
notices for the user, all put into the `Outbox` that the call worker empties once per batch. The session knows SIP but
no media worker; the media worker knows streams but no SDP; what one means for the other is decided here: a stream is
opened before an offer or answer is made (RFC 3264 section 5), configured when both descriptions are known, and closed
in the moment the call ends (RFC 3261 section 15.1.1).
"""

from enum import Enum
from typing import Any, Final, NamedTuple

from media import messages as media
from sipcore import events as sip
from sipcore.errors import LocalProtocolError, ParseError, RemoteProtocolError
from sipcore.hop import Hop, Transmit
from sipcore.message import Request, Response
from sipcore.negotiation import (
    DEFAULT_CODECS,
    Codec,
    LocalMedia,
    NegotiatedLine,
    NothingFits,
    make_answer,
    make_offer,
    negotiated,
)
from sipcore.sdp import SessionDescription
from sipcore.session import InviteSession

PARKED_PORT: Final = 9
"""port in the SDP of a call without media (discard, RFC 863), unless the worker has a parked socket"""
SDP_TYPE: Final = "application/sdp"
DTMF_RELAY: Final = "application/dtmf-relay"
OPUS_INTERVAL: Final = 0.02


class MediaDemand(NamedTuple):
    """What a call wants of its media."""

    wanted: bool
    """False: no stream is opened, the SDP names the parked port"""
    address: str
    """local IP of the media, as written into the SDP"""
    worker: int
    """which media worker"""
    parked_port: int = PARKED_PORT
    source: media.Source = ("silence",)
    sink: media.Sink = ("none",)
    codecs: tuple[Codec, ...] = DEFAULT_CODECS
    inactivity_limit: float = 30.0
    """seconds without any RTP, where some is due, until the stream says so"""


class State(Enum):
    """How far a call has come, as its user sees it."""

    IDLE = "idle"
    """nothing was sent or received yet"""
    CALLING = "calling"
    """our INVITE is out, or waits for its media port"""
    INCOMING = "incoming"
    """an INVITE waits for an answer"""
    ANSWERING = "answering"
    """our answer waits for its media port, or for the ACK"""
    UP = "up"
    """established"""
    OVER = "over"
    """ended, refused or failed"""


class Incoming(NamedTuple):
    """A call came in and wants `answer`, `ring` or `reject`."""

    request: Request


class Progress(NamedTuple):
    """A provisional response to our INVITE."""

    response: Response


class Up(NamedTuple):
    """The call is established: our ACK is sent, or the peer's arrived."""

    message: Request | Response


class Refused(NamedTuple):
    """Our INVITE did not lead to a call; `Over` follows."""

    status: int
    """408 and 503 also when nothing came (RFC 3261 section 8.1.3.1)"""
    reason: str
    response: Response | None
    cause: sip.Cause


class Digit(NamedTuple):
    """A digit came to its end."""

    event: str
    duration_ms: int
    mode: str
    """rfc4733, inband or info"""


class DigitsDone(NamedTuple):
    """All digits of a request are out, or never will be."""

    request_id: int
    status: str
    """OK or FAIL"""
    reason: str


class SourceDone(NamedTuple):
    """The source of the stream has no more (man page cb_rtp_done)."""


class MediaSilent(NamedTuple):
    """No RTP came for the inactivity limit though some was due."""

    seconds: float


class Over(NamedTuple):
    """The call is over; media is being stopped."""

    cause: str
    """value of `sipcore.events.Cause`, or the name of what failed on our side"""
    by: str
    """local, remote, expired or transport"""


class Closed(NamedTuple):
    """The call is over and its media too: every figure is final. The last notice."""


Notice = Incoming | Progress | Up | Refused | Digit | DigitsDone | SourceDone | MediaSilent | Over | Closed


class Outbox:
    """What a batch of inputs produced, for all calls of a worker."""

    __slots__ = ("media", "notices", "transmits")

    def __init__(self, media_workers: int) -> None:
        self.transmits: list[Transmit] = []
        self.media: list[list[media.Command]] = [[] for _ in range(media_workers)]
        self.notices: list[tuple[CallActor, Notice]] = []


class CallTimes:
    """When things happened, in monotonic seconds; 0.0 = not yet."""

    __slots__ = ("alerted", "answered", "bye_answered", "bye_sent", "ended", "first_response", "invited")

    def __init__(self) -> None:
        self.invited = self.first_response = self.alerted = self.answered = 0.0
        self.bye_sent = self.bye_answered = self.ended = 0.0


class CallActor:
    """One call, from its first message until nothing of it is left.

    number: unique in the worker; also the id of its media stream.
    session: the SIP side, made by the worker.
    demand: what is wanted of the media.
    user: whoever gets the notices, opaque here.
    """

    __slots__ = (
        "_bye_open",
        "_command_after_open",
        "_demand",
        "_headers",
        "_local",
        "_open",
        "_outbox",
        "_remote",
        "_sdp_id",
        "_statistics",
        "_stream_port",
        "answer_status",
        "by",
        "cause",
        "is_uac",
        "number",
        "session",
        "state",
        "times",
        "user",
    )

    def __init__(
        self,
        number: int,
        session: InviteSession,
        demand: MediaDemand,
        outbox: Outbox,
        *,
        is_uac: bool,
        sdp_id: int,
        user: Any = None,
    ) -> None:
        self.number = number
        self.session = session
        self.is_uac = is_uac
        self.user = user
        self.state = State.IDLE
        self.times = CallTimes()
        self.cause = ""
        self.by = ""
        self.answer_status = 0
        """final status of the INVITE; 0 = none yet"""
        self._demand = demand
        self._outbox = outbox
        self._sdp_id = sdp_id
        self._headers: tuple[tuple[str, str], ...] = ()
        self._open = False
        self._bye_open = False
        self._stream_port = 0
        self._command_after_open = ""
        self._local: SessionDescription | None = None
        self._remote: SessionDescription | None = None
        self._statistics: media.StreamStatistics | None = None

    # ---- reading

    @property
    def deadline(self) -> float | None:
        """When the session next wants to be woken."""
        return self.session.deadline

    @property
    def finished(self) -> bool:
        """Nothing needs this call any more: no transaction, no timer, no stream."""
        return self.state is State.OVER and not self._open and self.session.finished

    @property
    def statistics(self) -> media.StreamStatistics | None:
        """Final figures of the media stream; None before the end or without media."""
        return self._statistics

    @property
    def demand(self) -> MediaDemand:
        """What is wanted of the media."""
        return self._demand

    # ---- commands of the user

    def invite(self, headers: tuple[tuple[str, str], ...], now: float) -> None:
        """Place the call: first a media port, then the INVITE with the offer."""
        self.state = State.CALLING
        self._headers = headers
        self._open_stream("invite", now)

    def ring(self, status: int, now: float) -> None:
        """Send a provisional response to the call that came in."""
        if self.state is State.INCOMING:
            self.session.ring(now, status)
            self.pump(now)

    def answer(self, headers: tuple[tuple[str, str], ...], now: float) -> None:
        """Take the call that came in: first a media port, then the 200 with the answer.

        Raises:
            LocalProtocolError: no call waits for an answer.
        """
        if self.state is not State.INCOMING:
            raise LocalProtocolError(f"no call waits for an answer (it is {self.state.value})")
        self.state = State.ANSWERING
        self._headers = headers
        self._open_stream("accept", now)

    def reject(self, status: int, reason: str, headers: tuple[tuple[str, str], ...], now: float) -> None:
        """Refuse the call that came in."""
        if self.state in (State.INCOMING, State.ANSWERING):
            self.answer_status = status
            self.session.reject(now, status, reason, headers=headers)
            self.pump(now)

    def hang_up(self, now: float) -> None:
        """End the call by what fits: BYE, CANCEL or a refusal. Harmless when it is over."""
        if self.state is State.OVER:
            return
        if self.state is State.CALLING and self._command_after_open:
            self._end("cancelled", "local", now)  # nothing was sent yet
            return
        if self.state is State.UP and not self.times.bye_sent:
            self.times.bye_sent = now
        self.session.hang_up(now)
        self.pump(now)

    def send_digits(self, request_id: int, digits: str, duration_ms: int, mode: str) -> None:
        """Queue digits; answered by one `DigitsDone`."""
        if not self._open:
            self._notify(DigitsDone(request_id, "FAIL", "the call has no media stream"))
            return
        self._media(media.SendDigits(self.number, request_id, digits, duration_ms, mode))

    def set_source(self, source: media.Source) -> None:
        """Replace what the stream sends."""
        self._demand = self._demand._replace(source=source)
        if self._open:
            self._media(media.SetSource(self.number, source))

    # ---- inputs

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """A SIP message of this call."""
        self.session.receive(message, source, now, flow)
        self.pump(now)

    def handle_timer(self, now: float) -> None:
        """The session's deadline has come."""
        self.session.handle_timer(now)
        self.pump(now)

    def media_event(self, event: Any, now: float) -> None:
        """An event of this call's stream."""
        handler = _MEDIA_HANDLERS.get(event.__class__)
        if handler is not None:
            handler(self, event, now)

    def media_lost(self, reason: str, now: float) -> None:
        """The media worker is gone, or took no command: the call cannot go on."""
        was_open, self._open = self._open, False
        if was_open or self._command_after_open:
            self._fail(reason, now)
        if self.state is State.OVER:
            self._close_if_settled()

    # ---- media events

    def _on_opened(self, event: media.StreamOpened, now: float) -> None:
        self._stream_port = event.rtp_port
        self._continue(now)

    def _on_refused(self, event: media.StreamRefused, now: float) -> None:
        self._open = False
        self._fail(event.reason, now)

    def _on_digit(self, event: media.DtmfReceived, now: float) -> None:
        self._notify(Digit(event.event, event.duration_ms, event.mode))

    def _on_digits_sent(self, event: media.DigitsSent, now: float) -> None:
        self._notify(DigitsDone(event.request_id, event.status, event.reason))

    def _on_source_finished(self, event: media.SourceFinished, now: float) -> None:
        self._notify(SourceDone())

    def _on_silent(self, event: media.StreamSilent, now: float) -> None:
        if event.level == "limit":
            self._notify(MediaSilent(event.seconds))

    def _on_closed(self, event: media.StreamClosed, now: float) -> None:
        self._open = False
        self._statistics = event.statistics
        if self.state is State.OVER:
            self._close_if_settled()
        else:
            self._fail(event.reason, now)

    # ---- the session's events

    def pump(self, now: float) -> None:
        """Take over what the session produced: messages to the outbox, events to their handlers."""
        transmits, events = self.session.drain()
        while transmits or events:
            self._outbox.transmits += transmits
            for event in events:
                handler = _SIP_HANDLERS.get(event.__class__)
                if handler is not None:
                    handler(self, event, now)
            transmits, events = self.session.drain()

    def _on_invite(self, event: sip.InviteReceived, now: float) -> None:
        self.state = State.INCOMING
        self.times.invited = now
        if event.offer is not None and not self._take_offer(event.offer, now):
            return
        self._notify(Incoming(event.request))

    def _on_provisional(self, event: sip.Provisional, now: float) -> None:
        times = self.times
        if not times.first_response:
            times.first_response = now
        if not times.alerted and event.response.status >= 180:
            times.alerted = now
        self._notify(Progress(event.response))

    def _on_answer(self, event: sip.AnswerReceived, now: float) -> None:
        try:
            self._remote = SessionDescription.parse(event.description)
            self._configure()
        except (ParseError, RemoteProtocolError):
            if event.final:
                self._fail("bad_description", now)

    def _on_answered(self, event: sip.Answered, now: float) -> None:
        if event.reinvite:
            return
        times = self.times
        times.answered = now
        times.first_response = times.first_response or now
        times.alerted = times.alerted or now
        self.answer_status = event.response.status
        if self.state is State.CALLING:
            self.state = State.UP
            self._notify(Up(event.response))

    def _on_established(self, event: sip.Established, now: float) -> None:
        if not event.reinvite and self.state is State.ANSWERING:
            self.state = State.UP
            self._notify(Up(event.request))

    def _on_reinvite(self, event: sip.ReinviteReceived, now: float) -> None:
        if event.offer is None:
            if self._local is not None:
                self._local = self._offer()
                self.session.accept(now, self._local.to_bytes())
            return
        answer = self._answer_to(event.offer)
        if answer is None:
            self.session.reject(now, 488, "Not Acceptable Here")
        else:
            self.session.accept(now, answer)
            self._configure()

    def _on_offer(self, event: sip.OfferReceived, now: float) -> None:
        if event.in_ != "UPDATE":
            return
        answer = self._answer_to(event.description)
        if answer is None:
            self.session.respond(now, event.request_id, 488)
        else:
            self.session.respond(now, event.request_id, 200, body=answer, content_type=SDP_TYPE)
            self._configure()

    def _on_failed(self, event: sip.Failed, now: float) -> None:
        if event.reinvite:
            return
        times = self.times
        times.first_response = times.first_response or now
        times.alerted = times.alerted or now
        self.answer_status = event.status
        self._notify(Refused(event.status, event.reason, event.response, event.cause))

    def _on_request(self, event: sip.RequestReceived, now: float) -> None:
        if not event.request_id:
            return
        request = event.request
        if request.method == "INFO" and request.content_type == DTMF_RELAY:
            digit = _relayed_digit(request.body)
            self.session.respond(now, event.request_id, 200 if digit is not None else 400)
            if digit is not None:
                self._notify(digit)
            return
        self.session.respond(now, event.request_id, 200)

    def _on_request_finished(self, event: sip.RequestFinished, now: float) -> None:
        if event.method != "BYE":
            return
        if event.response is not None and not self.times.bye_answered:
            self.times.bye_answered = now
        if self._bye_open:
            self._bye_open = False
            self._close_if_settled()

    def _on_ended(self, event: sip.Ended, now: float) -> None:
        self._bye_open = event.cause is sip.Cause.BYE and event.by is sip.By.LOCAL and not self.times.bye_answered
        self._end(event.cause.value, event.by.value, now)

    # ---- media and descriptions

    def _open_stream(self, then: str, now: float) -> None:
        """Ask for a media port and go on when it is there; without media at once."""
        self._command_after_open = then
        if self._demand.wanted:
            self._open = True
            self._media(media.OpenStream(self.number, self._demand.address))
        else:
            self._stream_port = self._demand.parked_port
            self._continue(now)

    def _continue(self, now: float) -> None:
        then, self._command_after_open = self._command_after_open, ""
        if self.state is State.OVER:
            return  # given up while the port was on its way; the close is already behind it
        if then == "invite":
            self.times.invited = now
            self._local = self._offer()
            self.session.invite(now, self._local.to_bytes(), headers=self._headers)
        elif then == "accept":
            self._accept(now)
        self.pump(now)

    def _accept(self, now: float) -> None:
        if self._remote is None:
            self._local = self._offer()
        else:
            try:
                self._local = make_answer(
                    self._remote, (self._local_media(),), address=self._demand.address, session_id=self._sdp_id
                )
            except NothingFits:
                self.reject(488, "Not Acceptable Here", (), now)
                return
            self._configure()
        self.answer_status = 200
        self.times.answered = now
        self.session.accept(now, self._local.to_bytes(), headers=self._headers)

    def _take_offer(self, offer: bytes, now: float) -> bool:
        """Keep the peer's offer; a body that is no description is refused (RFC 3261 section 13.3.1.3)."""
        try:
            self._remote = SessionDescription.parse(offer)
        except ParseError:
            self.reject(488, "Not Acceptable Here", (), now)
            return False
        return True

    def _local_media(self) -> LocalMedia:
        return LocalMedia(self._stream_port, self._demand.codecs)

    def _offer(self) -> SessionDescription:
        return make_offer(
            (self._local_media(),), address=self._demand.address, session_id=self._sdp_id, previous=self._local
        )

    def _answer_to(self, offer: bytes) -> bytes | None:
        """The answer to a later offer of the peer; None when it cannot be taken (488)."""
        try:
            remote = SessionDescription.parse(offer)
            local = make_answer(
                remote,
                (self._local_media(),),
                address=self._demand.address,
                session_id=self._sdp_id,
                previous=self._local,
            )
        except (ParseError, NothingFits):
            return None
        self._remote, self._local = remote, local
        return local.to_bytes()

    def _configure(self) -> None:
        """Tell the stream what both descriptions agree on."""
        if not self._open or self._local is None or self._remote is None:
            return
        lines = negotiated(self._local, self._remote)
        if lines:
            self._media(_configure_stream(self.number, lines[0], self._demand))
            # Later negotiations change addresses and formats, not what the user is playing.
            self._demand = self._demand._replace(source=(), sink=())

    def _media(self, command: media.Command) -> None:
        self._outbox.media[self._demand.worker].append(command)

    # ---- the end

    def _fail(self, reason: str, now: float) -> None:
        """End the call because of something on our side, by name."""
        if self.state is State.OVER:
            return
        if self.state is State.CALLING and not self.times.invited:
            self._notify(Refused(503, reason, None, sip.Cause.TRANSPORT))
            self._end(reason, "local", now)
            return
        self.cause, self.by = reason, "local"
        if self.state in (State.INCOMING, State.ANSWERING) and not self.times.answered:
            self.reject(503, "Service Unavailable", (("Retry-After", "5"),), now)
        else:
            self.hang_up(now)

    def _end(self, cause: str, by: str, now: float) -> None:
        if self.state is State.OVER:
            return
        self.state = State.OVER
        self.cause, self.by = self.cause or cause, self.by or by
        self.times.ended = now
        self._notify(Over(self.cause, self.by))
        if self._open:
            self._media(media.CloseStream(self.number))
        else:
            self._close_if_settled()

    def _close_if_settled(self) -> None:
        """Every figure is final once the stream is closed and our BYE has its answer, or never gets one."""
        if not self._open and not self._bye_open:
            self._notify(Closed())

    def _notify(self, notice: Notice) -> None:
        self._outbox.notices.append((self, notice))


def _configure_stream(number: int, line: NegotiatedLine, demand: MediaDemand) -> media.ConfigureStream:
    """A negotiated media line as a command to its stream."""
    codec = line.send[0] if line.send else DEFAULT_CODECS[0]
    interval = (line.ptime or 20.0) / 1000
    return media.ConfigureStream(
        stream_id=number,
        direction=line.direction.value,
        remote_address=line.remote_address,
        remote_port=line.remote_port if line.active else 0,
        remote_rtcp_port=line.remote_rtcp_port if line.active else 0,
        rtcp_mux=line.rtcp_mux,
        codec=codec.name,
        payload_type=codec.payload_type,
        clock_rate=codec.clock_rate,
        payload_size=round(codec.clock_rate * interval),
        packet_interval=interval,
        receive_codecs=tuple((each.payload_type, each.name, each.clock_rate) for each in line.receive),
        dtmf_payload_type=-1 if line.telephone_event_send is None else line.telephone_event_send,
        dtmf_receive_payload_type=-1 if line.telephone_event_receive is None else line.telephone_event_receive,
        dtmf_clock_rate=codec.clock_rate,
        inactivity_limit=demand.inactivity_limit,
        source=demand.source,
        sink=demand.sink,
    )


def _relayed_digit(body: bytes) -> Digit | None:
    """The digit of an `application/dtmf-relay` body: lines `Signal=5` and `Duration=160`."""
    values = {}
    for line in body.decode("ascii", "replace").splitlines():
        name, _, value = line.partition("=")
        values[name.strip().lower()] = value.strip()
    signal = values.get("signal", "").upper()
    duration = values.get("duration", "100")
    if len(signal) != 1 or signal not in "0123456789ABCD*#" or not (duration.isascii() and duration.isdigit()):
        return None
    return Digit(signal, int(duration[:5]), "info")


_MEDIA_HANDLERS: Final[dict[type, Any]] = {
    media.StreamOpened: CallActor._on_opened,
    media.StreamRefused: CallActor._on_refused,
    media.DtmfReceived: CallActor._on_digit,
    media.DigitsSent: CallActor._on_digits_sent,
    media.SourceFinished: CallActor._on_source_finished,
    media.StreamSilent: CallActor._on_silent,
    media.StreamClosed: CallActor._on_closed,
}

_SIP_HANDLERS: Final[dict[type, Any]] = {
    sip.InviteReceived: CallActor._on_invite,
    sip.Provisional: CallActor._on_provisional,
    sip.AnswerReceived: CallActor._on_answer,
    sip.Answered: CallActor._on_answered,
    sip.Established: CallActor._on_established,
    sip.ReinviteReceived: CallActor._on_reinvite,
    sip.OfferReceived: CallActor._on_offer,
    sip.Failed: CallActor._on_failed,
    sip.RequestReceived: CallActor._on_request,
    sip.RequestFinished: CallActor._on_request_finished,
    sip.Ended: CallActor._on_ended,
}
