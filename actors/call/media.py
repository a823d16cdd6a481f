"""The media of one call: its lines, the descriptions both sides agreed on, and the streams that carry them.

It turns SDP into commands for a media worker and back (RFC 3264). Order: `require` opens the streams, an offer or
answer names their ports, `configure` follows an agreement, `close` ends the streams. Each fork of the local INVITE has
an exchange of its own (RFC 6337 section 3.1); the streams follow the one in force. `sipcore.sdp.offer_answer` decides
which side may offer, the session which message may carry a description. Pure: commands are appended to a list of the
worker.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from typing import Any

from sipswarm.media import messages as media
from sipswarm.media.rtp.srtp import SUITES, new_key
from sipswarm.sipcore.errors import LocalProtocolError, ParseError, RemoteProtocolError
from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.sdp.media_attributes import Crypto, Direction, event_codes
from sipswarm.sipcore.sdp.media_line import MediaLine
from sipswarm.sipcore.sdp.offer_answer import (
    DEFAULT_CODECS,
    Hold,
    LocalMedia,
    NegotiatedLine,
    OfferAnswer,
    is_rtp,
    is_secure,
    make_answer,
    make_offer,
    moved_line,
    negotiated,
    put_on_hold,
    revise,
    wanted_lines,
)

from ..diagnosis.offer_warnings import NO_ADDRESS, NOT_SENT_TO, NOTHING_FITS
from ..runtime.outbox import Remark
from .digit_requests import DigitRequests
from .forks import Forks
from .kept import KeptMedia, KeptRecordings, KeptStream
from .media_stream import MediaStream
from .reach import Reach
from .recordings import Recordings
from .stream_configuration import PARKED_PORT, MediaDemand, MediaPlace, configuration, is_sendable

Place = Callable[[int], tuple[int, list[media.Command]]]
"""As `Outbox.place`."""


def _known_to_peer(line: MediaStream, described: MediaLine | None) -> MediaStream:
    """Return the stream of a line whose port its local description names, which may be lost; itself if none is."""
    found: MediaStream | None = line
    while found is not None and described is not None and described.port not in (0, found.port):
        found = found.before
    return found or line


class CallMedia:
    """The media lines of one call.

    Args:
        demand: the required media.
        commands: where commands for the media worker are appended.
        new_stream_id: returns ids that are unique in the worker.
        sdp_id: session id of the local o= lines.
        secret: returns the given number of secret random octets.
        remarks: where leniencies of the peer's descriptions, and reasons of dropped ones, are appended.
        place: returns a media worker that is there, the given one if it is, and where its commands are appended; it is
            asked whenever the call opens streams and has none.
        reach: judges the addresses of the peer's descriptions; None = all are sent to.
    """

    __slots__ = (
        "_commands",
        "_left",
        "_left_senders",
        "_new_stream_id",
        "_place",
        "_reach",
        "_remarks",
        "_sdp_id",
        "_secret",
        "_senders",
        "_sink_request",
        "_source_request",
        "answered",
        "demand",
        "digits",
        "forks",
        "given",
        "lines",
        "misfit",
        "playing",
        "recordings",
    )

    def __init__(
        self,
        demand: MediaDemand,
        commands: list[media.Command],
        new_stream_id: Callable[[], int],
        sdp_id: int,
        secret: Callable[[int], bytes],
        remarks: list[Remark] | None = None,
        place: Place | None = None,
        reach: Reach | None = None,
    ) -> None:
        self.demand = demand
        self.forks = Forks()
        """The descriptions that hold, and the offer that waits, in each dialog."""
        self.lines: list[MediaStream] = []
        self.given: SessionDescription | None = None
        """A description that the user wrote, instead of those that are made here (man page `sdp`)."""
        self.answered = False
        """Whether the call is answered: then media is due on each configured stream."""
        self._commands = commands
        self._remarks: list[Remark] = [] if remarks is None else remarks
        self._new_stream_id = new_stream_id
        self._place = place
        self._reach = reach or Reach()
        self._sdp_id = sdp_id
        self._secret = secret
        self._left: list[MediaStream] = []
        self._senders: list[MediaStream] = []
        self._left_senders: list[MediaStream] = []
        self.playing: tuple[media.SourceSpec, int] | tuple[()] = ()
        """The source that plays over the other one for a time, and the number of its request."""
        self.misfit = NOTHING_FITS
        """Code and text of a Warning: why the last unacceptable offer did not fit."""
        self.digits = DigitRequests()
        """The digits that are on their way."""
        self.recordings = Recordings()
        """The files that the call records into."""
        self._source_request = self._sink_request = 0
        """The newest requests, for lines that are not configured yet."""

    @property
    def exchange(self) -> OfferAnswer:
        """The exchange of the dialog that is in force."""
        return self.forks.exchange

    # ---- streams

    def require(self, count: int) -> list[int]:
        """Make sure that there are at least `count` lines; return the ids of the streams to be opened."""
        opened = []
        if count and not (self.lines or self._senders):
            self._choose_worker()
        for _ in range(count - len(self.lines)):
            if not self.demand.wanted:
                self.lines.append(MediaStream(0, self.demand.parked_port))
                continue
            line = MediaStream(self._new_stream_id(), worker=self.demand.worker)
            self.lines.append(line)
            opened.append(line.stream_id)
            self._commands.append(self._open(line.stream_id))
        return opened

    def _choose_worker(self) -> None:
        if self._place is not None and self.demand.wanted:
            worker, commands = self._place(self.demand.worker)
            self.move(worker, commands)

    def _open(self, stream_id: int) -> media.OpenStream:
        demand = self.demand
        file = demand.source if demand.source[:1] == ("file",) else demand.file
        return media.OpenStream(
            stream_id,
            demand.bound or demand.address,
            demand.asymmetric,
            send_address=demand.send_address,
            source=() if demand.payload_size else file,  # the file would be cut for another format
        )

    def require_for_offer(self) -> list[int]:
        """Make sure that the lines of the peer's pending offer are there, as `require` does."""
        offer = self.exchange.pending
        if offer is None or not self.forks.owes_answer:
            return self.require(1)
        return self.require(max((index + 1 for index, each in enumerate(self._wanted(offer)) if each), default=0))

    def _wanted(self, offer: SessionDescription) -> list[bool]:
        """Return for each line of an offer whether `answer` can accept it, as far as that shows without its port."""
        wanted = wanted_lines(offer, self._local_media(MediaStream(0, PARKED_PORT)), address=self.demand.address)
        return [each and self._is_sendable(line.address) for each, line in zip(wanted, offer.media, strict=True)]

    def _is_sendable(self, there: str) -> bool:
        return self._reach.is_sendable(there, self.demand.address)

    def _note_misfit(self, offer: SessionDescription) -> None:
        """Note why no line of an offer fits."""
        wanted = wanted_lines(offer, self._local_media(MediaStream(0, PARKED_PORT)), address=self.demand.address)
        sendable = [
            line.address
            for each, line in zip(wanted, offer.media, strict=True)
            if each and is_sendable(line.address, self.demand.address)
        ]
        refused = [address for address in sendable if self._reach.refuses(address)]
        self.misfit = NOT_SENT_TO if refused else NO_ADDRESS if any(wanted) else NOTHING_FITS

    @property
    def fits_offer(self) -> bool:
        """Whether `answer` can accept a line of the pending offer, as far as that shows before its ports are open."""
        offer = self.exchange.pending
        if (
            offer is None
            or not self.forks.owes_answer
            or self.given is not None
            or not any(line.port for line in offer.media)
        ):
            return True
        fits = any(self._wanted(offer))
        if not fits:
            self._note_misfit(offer)
        return fits

    def adopt(self, lines: Sequence[MediaStream]) -> None:
        """Use streams that were opened beforehand (man page `media_lsocks`)."""
        self.lines = list(lines)

    def send_through(self, senders: Sequence[MediaStream]) -> None:
        """Send from the ports of other streams, one per line (man page `media_ssocks`).

        Args:
            senders: a stream with id 0 stands for the line's own port.
        """
        for line in self._senders:
            if line.stream_id and not line.closed and line not in senders:
                self._commands.append(media.CloseStream(line.stream_id))
                self._left_senders.append(line)
        self._senders = list(senders)

    def move(self, worker: int, commands: list[media.Command]) -> None:
        """Use another media worker, as long as there are no streams.

        Args:
            commands: those for that one.
        """
        if worker != self.demand.worker and not any(line.stream_id for line in self.lines):
            self.demand = self.demand._replace(worker=worker)
            self._commands = commands

    @property
    def ready(self) -> bool:
        """Whether every line has its port."""
        return all(line.port for line in self.lines)

    @property
    def running(self) -> bool:
        """Whether a stream is open."""
        for line in self.lines:
            if line.stream_id and not line.closed:
                return True
        if not (self._left or self._senders or self._left_senders):
            return False
        return any(line.stream_id and not line.closed for line in (*self._left, *self._senders, *self._left_senders))

    @property
    def stream_ids(self) -> list[int]:
        """Ids of the streams that are open, or about to be."""
        lines = (*self.lines, *self._left, *self._senders, *self._left_senders)
        return [line.stream_id for line in lines if line.stream_id and not line.closed]

    @property
    def statistics(self) -> tuple[media.StreamStatistics, ...]:
        """Final statistics of the closed streams, in the order of the lines, earlier ones first."""
        return tuple(line.statistics for line in (*self._left, *self.lines) if line.statistics is not None)

    def counted(self, event: media.StreamStatistics) -> None:
        """Keep the newest statistics of an open stream."""
        for line in self.lines:
            if line.stream_id == event.stream_id:
                line.counted(event)

    def started(self, event: media.StreamStarted) -> None:
        """Note the source of the received RTP, which is new or has changed."""
        for line in self.lines:
            if line.stream_id == event.stream_id:
                line.receives_from(event.address, event.port)

    def opened(self, event: media.StreamOpened) -> None:
        """Note the ports of a stream."""
        for line in self.lines:
            if line.stream_id == event.stream_id:
                line.opened(event.rtp_port, event.rtcp_port)

    def closed(self, event: media.StreamClosed) -> bool:
        """Note that a stream is closed; return whether it was one of the lines in use."""
        for line in (*self._senders, *self._left_senders):
            if line.stream_id == event.stream_id:
                line.gone()
        for line in (*self.lines, *self._left):
            if line.stream_id == event.stream_id:
                line.gone(event.statistics)
        return any(line.stream_id == event.stream_id for line in self.lines)

    def refused(self, stream_id: int) -> None:
        """Note that a stream could not be opened."""
        for line in (*self.lines, *self._senders):
            if line.stream_id == stream_id:
                line.gone()

    def lost(self, worker: int) -> list[int]:
        """Give up the streams at a media worker that is gone or does not answer; lines in use wait for `relocate`.

        Returns:
            The ids of these streams.
        """
        lines = (*self.lines, *self._left, *self._senders, *self._left_senders)
        gone = [line for line in lines if line.stream_id and not line.closed and line.worker == worker]
        for line in gone:
            line.gone()
            self._commands.append(media.CloseStream(line.stream_id))  # it may live, and only not answer
        in_use = [line for line in self.lines if line in gone]
        if in_use:
            self._left += in_use
            self.recordings.lost()
            self._left_senders += self._senders
            self._senders = []  # the call sends from its own ports then
            self.lines = [line.lost() if line in gone else line for line in self.lines]
        return [line.stream_id for line in gone]

    @property
    def is_lost(self) -> bool:
        """Whether lines wait for `relocate`."""
        return any(line.moved and not line.stream_id for line in self.lines)

    @property
    def is_described(self) -> bool:
        """Whether the local description in force names the ports of all streams that replace lost ones."""
        local = self.exchange.local
        if local is None:
            return True
        return all(
            not line.moved or not described.port or described.port == line.port
            for line, described in zip(self.lines, local.media, strict=False)
        )

    @property
    def can_move(self) -> bool:
        """Whether the ports of this call are chosen here, so that others can take their place."""
        return self.given is None

    def relocate(self) -> list[int]:
        """Open streams in the place of lost ones, at a media worker that is there; return their ids."""
        self._choose_worker()
        opened: list[int] = []
        for line in self.lines:
            if line.moved and not line.stream_id:
                opened.append(self._new_stream_id())
                line.reopen(opened[-1], self.demand.worker)
                self._commands.append(self._open(opened[-1]))
        return opened

    def close(self) -> None:
        """Close every stream that is open."""
        for line in (*self.lines, *self._senders):
            if line.stream_id and not line.closed:
                self._commands.append(media.CloseStream(line.stream_id))

    def describe(self, given: SessionDescription | None) -> None:
        """Use a description that the user wrote from the next offer or answer on; None = those that are made here."""
        self.given = given

    def wish(self, **wishes: Any) -> None:
        """Change fields of the demand, from the next description on."""
        self.demand = self.demand._replace(**wishes)

    def renew(self, *, elsewhere: bool = False) -> list[int]:
        """Give up all ports and descriptions for new ones (man page `clear_sdp`).

        Args:
            elsewhere: as many new ports are opened at once, with the addresses of the other IP version. Nothing was
                agreed yet.

        Returns:
            The ids of the streams to be opened.
        """
        if elsewhere:
            self.close()
            count, self.lines, unused = len(self.lines), [], self.lines
            self._left_senders += unused  # without statistics
            self.forks = Forks()
            demand = self.demand
            here = MediaPlace(demand.address, demand.bound, demand.parked_port)
            self.demand = demand._replace(**(demand.elsewhere or here)._asdict(), send_address="", elsewhere=here)
            return self.require(count)
        self.close()
        self._left += self.lines
        self._left_senders += self._senders
        self.lines, self._senders = [], []
        self.given = None
        return []

    def forget(self) -> None:
        """Begin again after an end: nothing is agreed, and no port is open."""
        self.lines, self._senders, self._left = [], [], []
        self.given = None
        self.forks = Forks()
        self.answered = False

    # ---- in the next process of the slot

    def keep(self) -> tuple[object, ...]:
        """Return the agreement and the streams, for the next process; empty before an agreement.

        Where the peer does not know the port of a stream yet, that is the lost one before it: the next process finds
        that it is gone, and offers another one.
        """
        local, remote = self.exchange.local, self.exchange.remote
        if local is None or remote is None:
            return ()
        demand = self.demand
        streams = tuple(
            [
                (
                    line.stream_id,
                    line.port,
                    line.rtcp_port,
                    tuple(map(tuple, line.crypto)),
                    None if line.events is None else tuple(line.events),
                    line.may_send,
                )
                for line in map(_known_to_peer, self.lines, chain(local.media, repeat(None)))
            ]
        )
        return (
            demand.worker,
            demand.wanted,
            self._sdp_id,
            local.to_bytes(),
            remote.to_bytes(),
            self.exchange.protocols,
            streams,
            () if demand.sink[:1] == ("callback",) else demand.sink,  # its function goes with the process
            self.recordings.keep(),
        )

    def take_over(self, kept: KeptMedia, fork: int) -> list[int]:
        """Go on with the agreement and the streams of the process before; return the ids of its streams.

        A stream is claimed with a command, so that its media worker does not close it.

        Args:
            fork: number of the dialog.

        Raises:
            ParseError: a description cannot be read.
        """
        self._sdp_id = kept.sdp_id
        exchange = OfferAnswer.agreed_before(
            SessionDescription.parse(kept.local), SessionDescription.parse(kept.remote), kept.protocols
        )
        self.forks.go_on_with(exchange, fork)
        for each in map(KeptStream._make, kept.streams):
            line = MediaStream(each.stream_id, each.port, each.rtcp_port, kept.worker)
            line.keyed(tuple(Crypto(*key) for key in each.crypto))
            line.agreed(each.may_send, None if each.events is None else frozenset(each.events))
            self.lines.append(line)
        if kept.sink:
            self.demand = self.demand._replace(sink=kept.sink)
        if kept.recordings:
            self.recordings.take_over(KeptRecordings._make(kept.recordings))
        self.answered = True
        return [line.stream_id for line in self.lines if line.stream_id]

    def claim(self) -> None:
        """Have the media worker keep the streams that were taken over."""
        self._commands += [media.ExpectMedia(line.stream_id) for line in self.lines if line.stream_id]

    # ---- descriptions

    def offer(self, hold: Hold = "") -> bytes:
        """Return the local offer, kept as pending (RFC 3264 section 5, later ones section 8)."""
        previous = self.exchange.local
        if self.given is not None:
            description = revise(put_on_hold(self.given, hold) if hold else self.given, previous)
        else:
            # A line that the peer refused stays in the session as a refused one (RFC 3264 section 8.2).
            description = make_offer(
                [self._offered_media(number, line) for number, line in enumerate(self.lines)],
                address=self.demand.address,
                session_id=self._sdp_id,
                previous=previous,
                hold=hold,
            )
        self.exchange.local_offer(description)
        return description.to_bytes()

    def offer_moved(self) -> bytes:
        """Return the description in force with the ports and new keys of the streams, as the local pending offer.

        Formats and directions stay, so that a call on hold stays there.
        """
        previous = self.exchange.local
        if previous is None:
            raise LocalProtocolError("nothing is agreed yet")
        lines = [
            moved_line(described, self._local_media(line)) if line.moved and described.port else described
            for line, described in zip(self.lines, previous.media, strict=False)
        ]
        lines += previous.media[len(lines) :]
        description = revise(previous.replace(media=lines), previous)
        self.exchange.local_offer(description)
        return description.to_bytes()

    def take_offer(self, body: bytes) -> None:
        """Keep an offer of the peer as pending.

        Raises:
            ParseError: the body is no description.
            RemoteProtocolError: the offer is out of turn, or it drops lines.
        """
        with self._reading():
            description = self._read(body)
            self.forks.make_way()
            self.exchange.remote_offer(description)

    def _read(self, body: bytes) -> SessionDescription:
        description = SessionDescription.parse(body, strict=self.demand.strict)
        self._remarks += description.leniencies
        return description

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Append a remark when a description of the peer is dropped."""
        try:
            yield
        except (ParseError, RemoteProtocolError) as error:
            self._remarks.append(f"dropped: description, {error.reason}")
            raise

    def answer(self, hold: Hold = "", *, lasting: bool = True) -> bytes:
        """Return the local answer to the pending offer.

        Args:
            lasting: it holds even if an open local INVITE fails.

        Raises:
            NothingFits: no line of the offer can be accepted (488); the offer is no longer pending.
        """
        exchange = self.exchange
        pending = exchange.pending
        if pending is None:
            raise LocalProtocolError("no offer waits for an answer")
        try:
            if self.given is not None:
                description = revise(put_on_hold(self.given, hold) if hold else self.given, exchange.local)
            else:
                description = make_answer(
                    pending,
                    [
                        self._local_media(line) if self._is_sendable(offered.address) else None
                        for line, offered in zip(self.lines, pending.media, strict=False)
                    ],
                    address=self.demand.address,
                    session_id=self._sdp_id,
                    previous=exchange.local,
                    hold=hold,
                )
            exchange.local_answer(description)
        except Exception:
            self._note_misfit(pending)
            exchange.reject()
            raise
        if lasting:
            self.forks.keep()
        return description.to_bytes()

    def describe_success(self, hold: Hold, *, first: bool) -> bytes:
        """Return the description of the 2xx to an INVITE of the peer.

        Args:
            first: it answers the call's first INVITE.

        Raises:
            NothingFits: as `answer`.
        """
        exchange = self.exchange
        if self.forks.owes_answer:
            body = self.answer(hold)
            self.configure(self.agreed())
            return body
        if exchange.pending is not None:
            return exchange.pending.to_bytes()  # the offer of the reliable 1xx
        if first and exchange.local is not None:
            return exchange.local.to_bytes()  # the answer that the 183 carried (RFC 3261 section 13.2.1)
        return self.offer(hold)

    def take_answer(self, body: bytes, *, final: bool) -> tuple[NegotiatedLine, ...]:
        """Take the peer's answer; return the agreed lines. A preview (not final) leaves the local offer pending.

        Raises:
            ParseError: the body is no description.
            RemoteProtocolError: it does not fit the offer, or its media cannot flow: no offered format (RFC 3264
                section 6.1), another IP version, a group address.
        """
        with self._reading():
            description = self._read(body)
            exchange = self.exchange
            if not final:
                return negotiated(exchange.pending, description) if exchange.pending is not None else ()
            tried = exchange.copy()
            tried.remote_answer(description)
            lines = self._lines_of(tried)
            taken = [line for line in lines if line.local_port and line.remote_port]
            if self.given is None and lines:
                if not taken and self.demand.must_flow and exchange.remote is None:
                    raise RemoteProtocolError("the answer refuses every media line", 488)
                if taken and not any(line.active and self._is_sendable(line.remote_address) for line in taken):
                    self._reach.within(taken)  # counts
                    raise RemoteProtocolError("the answer has no format, protocol or address that was offered", 488)
            exchange.remote_answer(description)
            return lines

    def agreed(self) -> tuple[NegotiatedLine, ...]:
        """Return the lines that both descriptions agree on; none where there are no streams."""
        return self._lines_of(self.exchange)

    def _lines_of(self, exchange: OfferAnswer) -> tuple[NegotiatedLine, ...]:
        return exchange.agreed() if self.demand.wanted else ()

    def configure(self, lines: Sequence[NegotiatedLine]) -> None:
        """Configure every stream by the agreement; its first configuration carries the user's source and sink."""
        if not self.is_described:
            return  # the peer does not know the ports yet: what is sent and requested waits
        again = self.demand._replace(source=(), sink=())
        self.forks.agreed(lines)
        for number, (line, agreed) in enumerate(zip(self.lines, self._reach.within(lines), strict=False)):
            if line.stream_id and not line.closed:
                first = not line.configured
                events = event_codes(agreed.events_send[0].fmtp) if agreed.events_send else None
                line.agreed(agreed.active and agreed.direction.sends, events)
                command = configuration(line.stream_id, agreed, self._first_demand() if first else again)
                strangers = self._strangers(line)
                if strangers:
                    command = command._replace(strangers=strangers)
                if not (self.answered and agreed.remote_port):
                    removed = not agreed.remote_port and self.given is None
                    command = command._replace(early=not self.answered, removed=removed)
                if number < len(self._senders) and self._senders[number].stream_id:
                    command = command._replace(send_through=self._senders[number].stream_id)
                self._commands.append(command)
                if first:
                    self._commands += self._requested(line.stream_id)
                self._commands += self.digits.go_on(line.stream_id)

    def _strangers(self, line: MediaStream) -> tuple[tuple[str, int], ...]:
        """Return the sources of a line that are not the peer's: other dialogs, and its own description behind a NAT."""
        demand = self.demand
        described = ((demand.address, line.port),) if demand.bound not in ("", demand.address) else ()
        return (*sorted(self.forks.strangers), *described)

    def _first_demand(self) -> MediaDemand:
        """Return the demand for the first configuration: source and sink, except those that a request sets."""
        demand = self.demand
        return demand._replace(
            source=() if self._source_request else demand.source,
            sink=() if self._sink_request else self.recordings.sink(demand.sink),
        )

    def _requested(self, stream_id: int) -> list[media.Command]:
        """Return the requests that waited for the first configuration of a stream."""
        commands: list[media.Command] = []
        if self._sink_request:
            sink = self.recordings.sink(self.demand.sink)
            commands.append(media.SetSink(stream_id, sink, self._sink_request))
        if self._source_request:
            commands.append(media.SetSource(stream_id, self.demand.source, self._source_request))
        if self.playing:
            commands.append(media.SetSource(stream_id, *self.playing, "over"))
        return commands

    def expect(self) -> None:
        """Note that the call is answered: media is due from now on, also on streams with early media."""
        if not self.answered:
            self.answered = True
            for line in self.lines:
                if line.configured and not line.closed:
                    self._commands.append(media.ExpectMedia(line.stream_id))

    def set_source(self, source: media.SourceSpec, *, request_id: int = 0, under: bool = False) -> None:
        """Replace the source of every line, later lines included.

        Args:
            under: a source that plays over it goes on.
        """
        self.demand = self.demand._replace(source=source)
        self._source_request = request_id
        if not under:
            self.playing = ()
        for each in self._configured_lines():
            self._commands.append(media.SetSource(each.stream_id, source, request_id, "under" if under else "all"))

    def play(self, source: media.SourceSpec, request_id: int) -> None:
        """Play a source on every line for a time, later lines included."""
        self.playing = source, request_id
        for each in self._configured_lines():
            self._commands.append(media.SetSource(each.stream_id, source, request_id, "over"))

    def stop_playing(self) -> None:
        """Send the earlier source again."""
        self.playing = ()
        for each in self._configured_lines():
            self._commands.append(media.StopSource(each.stream_id))

    def played(self) -> None:
        """Note that the source that played for a time has ended."""
        self.playing = ()

    def source_ended(self) -> None:
        """Note that the source has ended, or cannot be opened: later lines begin without it."""
        self.demand = self.demand._replace(source=("none",))
        self._source_request = 0

    def set_sink(self, sink: media.SinkSpec, *, request_id: int = 0) -> None:
        """Replace the sink of every line, later lines included."""
        self.demand = self.demand._replace(sink=sink)
        self._sink_request = request_id
        for each in self._configured_lines():
            self._commands.append(media.SetSink(each.stream_id, self.recordings.sink(sink), request_id))

    def send_digits(self, request_id: int, digits: str, duration_ms: int, mode: str) -> bool:
        """Queue digits on the first open line; False when there is none."""
        waits = any(line.moved for line in self.lines) and not (self.ready and self.is_described)
        lines = self._open_lines(-1)
        if not (lines or waits):
            return False
        stream_id = lines[0].stream_id if lines else 0
        command = media.SendDigits(stream_id, request_id, digits, duration_ms, mode, progress=True)
        self._commands += self.digits.send(command, waits=waits)
        return True

    def stop_digits(self) -> None:
        """Drop the digits that wait on any line."""
        self.digits.stop()
        for line in self._open_lines(-1):
            self._commands.append(media.StopDigits(line.stream_id))

    @property
    def may_send(self) -> bool:
        """Whether the peer permits sending now, on the line that sends digits."""
        return any(line.may_send for line in self._open_lines(-1)[:1])

    @property
    def events(self) -> frozenset[int] | None:
        """Codes of the events that the peer accepts, on the line that sends digits; None = no event was agreed."""
        return next((line.events for line in self._open_lines(-1)), None)

    def provide(self, line: int, frames: tuple[media.Frame, ...], end: bool) -> None:
        """Give frames to a line's callback source."""
        for each in self._open_lines(line):
            self._commands.append(media.ProvideFrames(each.stream_id, frames, end))

    def number_of(self, stream_id: int) -> int:
        """Return the index of the line that a stream belongs to; -1 for none in use."""
        return next((index for index, line in enumerate(self.lines) if line.stream_id == stream_id), -1)

    def _configured_lines(self) -> list[MediaStream]:
        """Return the configured lines; others get the current values with their first configuration."""
        return [line for line in self._open_lines(-1) if line.configured]

    def _open_lines(self, number: int) -> list[MediaStream]:
        lines = self.lines if number < 0 else self.lines[number : number + 1]
        return [line for line in lines if line.stream_id and line.port and not line.closed]

    def _local_media(self, line: MediaStream) -> LocalMedia:
        ptime = self.demand.interval * 1000 if self.demand.interval and self.demand.codecs != DEFAULT_CODECS else None
        local = LocalMedia(line.port, self.demand.codecs, Direction.SENDRECV, rtcp_port=line.rtcp_port, ptime=ptime)
        if self.demand.srtp == "off":
            return local
        if not line.crypto:
            keys = [(suite, b64encode(new_key(suite, self._secret)).decode()) for suite in SUITES]
            line.keyed(tuple(Crypto(tag, suite, f"inline:{key}", "") for tag, (suite, key) in enumerate(keys, 1)))
        return local._replace(
            crypto=line.crypto, protocol="RTP/SAVP" if self.demand.srtp == "required" else local.protocol
        )

    def _offered_media(self, number: int, line: MediaStream) -> LocalMedia:
        """Return the local offer of a line, in the profile of its last use, so that no offer drops encryption."""
        local = self._local_media(line)
        protocols = self.exchange.protocols
        agreed = protocols[number] if number < len(protocols) else ""
        takes = bool(local.crypto) if is_secure(agreed) else is_rtp(agreed) and not is_secure(local.protocol)
        return local._replace(protocol=agreed) if takes else local
