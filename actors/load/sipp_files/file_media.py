"""The media of one call of a scenario file: one RTP stream, on which its actions play, echo and send digits.

Its port is taken before the first message, because messages name it. It sends to where the peer has described last, in
the first format of that description; nothing is negotiated, as in SIPp. A capture has payload types of its own. What
either side has described may come, and is due from the 2xx to an INVITE until a BYE. A file that cannot be played, and
the loss of the media worker, fail the call.
"""

from collections.abc import Callable
from typing import Any, Final, final

from sipswarm.media import messages as media
from sipswarm.media.audio.formats import payload_octets

from ...call.stream_configuration import is_sendable, is_unspecified
from ...diagnosis.failure_reasons import reason_of
from ...handle.media_lease import MediaLease
from ...runtime.actor import StreamOwner
from ...sipp.actions.results import EchoMedia, PlayCapture, PlayDigits, Result, StreamControl, StreamFile
from ...sipp.call.described import STATIC, Format, RemoteMedia

PORTS: Final = ("media_port", "auto_media_port", "rtpstream_audio_port")
"""Keywords that stand for its port."""
EVENTS: Final = 96
"""Payload type of digits where the peer has described none, as in SIPp."""
INTERVAL: Final = 0.02
"""Seconds between two packets of a file."""
WISHES: Final = (EchoMedia, PlayCapture, PlayDigits, StreamControl, StreamFile)
"""What actions ask for that concerns media."""
_NOTHING: Final[media.SourceSpec] = ("none",)


@final
class FileMedia(StreamOwner):
    """The stream of one call.

    Args:
        lease: its port, just taken.
        base: what it sends while nothing is played.
        ports: gets its port by the names of `PORTS`.
        path_of: returns the path of a file that the scenario file names.
        may_send: whether media may go to an address that the peer has named.
        opened: called when the port is there.
        failed: called with a cause of `failure_reasons`, with words for a person, when media cannot go on.
        closed: called when the figures are final.
    """

    __slots__ = (
        *("_base", "_closed", "_closing", "_configured", "_failed", "_format", "_is_up", "_lease", "_may_send"),
        *("_opened", "_path_of", "_ports", "_received", "_remote", "_was_up", "is_open", "is_over", "statistics"),
    )

    def __init__(
        self,
        lease: MediaLease,
        *,
        base: media.SourceSpec,
        ports: dict[str, int],
        path_of: Callable[[str], str],
        may_send: Callable[[str], bool],
        opened: Callable[[float], None],
        failed: Callable[[str, str, float], None],
        closed: Callable[[float], None],
    ) -> None:
        lease.give_to(self)
        self._lease = lease
        self._base = base
        self._ports = ports
        self._path_of = path_of
        self._may_send = may_send
        self._opened = opened
        self._failed = failed
        self._closed = closed
        self._remote: RemoteMedia | None = None
        self._received: tuple[Format, ...] = ()
        self._is_up = self._was_up = False
        self._format: Format | None = None
        """Payload type, encoding name and clock rate that `rtp_stream` names; None = those of the peer."""
        self._configured = self._closing = False
        self.is_open = False
        """Its port is there."""
        self.is_over = False
        """Nothing more comes of it."""
        self.statistics: media.StreamStatistics | None = None
        """The final figures; None = there are none."""

    @property
    def name(self) -> str:
        """Name of the stream in logs."""
        return f"media of a scenario file, port {self._lease.port}"

    def media_event(self, event: Any, now: float) -> None:
        """Take an event of the stream."""
        if isinstance(event, media.StreamOpened):
            self._lease.media_event(event, now)
            self._ports.update(dict.fromkeys(PORTS, event.rtp_port))
            self.is_open = True
            self._opened(now)
        elif isinstance(event, media.StreamClosed):
            self.statistics = event.statistics
            self._end(event, now)
            if not self._closing:
                self._failed("media_failed", "the media stream was closed", now)
            self._closed(now)
        elif isinstance(event, media.StreamRefused):
            self._lose(event, now)
        elif isinstance(event, media.CommandRefused | media.SourceFinished) and event.reason != "end":
            self._failed(_cause(event.reason), event.detail or event.reason, now)
        elif isinstance(event, media.DigitsSent) and event.status != "OK" and event.reason != "closed":
            self._failed("digits_not_sent", f"play_dtmf: {event.reason}", now)

    def media_lost(self, worker: int, reason: str, now: float) -> None:
        """Take the loss of the media worker, or that it takes no commands."""
        if worker == self._lease.worker and not self.is_over:
            self._lease.release()  # its media worker may only not answer
            self._lose(media.StreamRefused(self._lease.line.stream_id, reason), now)

    def crashed(self, now: float, error: BaseException) -> None:
        """End: the program failed on it."""
        if not self.is_over:
            self._lease.release()
            self._lose(media.StreamRefused(self._lease.line.stream_id, "internal_error"), now)

    def describe(self, remote: RemoteMedia, received: tuple[Format, ...], now: float, *, is_up: bool) -> None:
        """Send to where the peer takes audio; to nowhere after a BYE (RFC 3261 section 15.1.1).

        Args:
            remote: by its last description.
            received: what may come, by the last descriptions of both sides.
            now: monotonic seconds.
            is_up: the call is answered, and no BYE has come or gone.
        """
        if self.is_over or (remote, received, is_up) == (self._remote, self._received, self._is_up):
            return
        self._remote, self._received, self._is_up = remote, received, is_up
        self._was_up = self._was_up or is_up
        if not is_sendable(remote.address, self._lease.address):
            self._failed("media_failed", f"no audio can be sent to {remote.address[:80]}", now)
        elif not is_unspecified(remote.address) and not self._may_send(remote.address):
            self._failed("forbidden_address", f"audio to {remote.address[:80]} is not allowed; see --send-to", now)
        else:
            self._configure(remote)

    def carry_out(self, wish: Result) -> None:
        """Do what an action asks for."""
        stream = self._lease.line.stream_id
        match wish:
            case PlayCapture(path=path):
                self._command(media.SetSource(stream, ("capture", self._path_of(path)), layer="over"))
            case PlayDigits(digits=digits):
                self._command(media.SendDigits(stream, 1, digits.strip()))
            case StreamFile(path=path, loops=loops):
                self._format = self._format_of(wish)
                if self._configured and self._remote is not None:
                    self._configure(self._remote)
                self._command(media.SetSource(stream, ("file", self._path_of(path), loops)))
            case StreamControl.PAUSE:
                self._command(media.SetSource(stream, _NOTHING, layer="over"))
            case StreamControl.RESUME:
                self._command(media.StopSource(stream))
            case EchoMedia(on=on):
                self._command(media.SetSource(stream, ("echo", 0) if on else self._base))

    def close(self) -> None:
        """End the stream; `closed` is called when its figures have come."""
        if not self._closing and not self.is_over:
            self._closing = True
            self._lease.release()

    def _command(self, command: media.Command) -> None:
        if not self.is_over and not self._closing:
            self._lease.command(command)

    def _configure(self, remote: RemoteMedia) -> None:
        number, name, clock = self._format or remote.audio
        own = () if self._configured else self._base
        self._configured = True
        events = remote.events
        self._command(
            media.ConfigureStream(
                self._lease.line.stream_id,
                direction="inactive" if self._was_up and not self._is_up else "sendrecv",
                early=not self._is_up,
                remote_address="" if is_unspecified(remote.address) else remote.address,
                remote_port=remote.port,
                codec=name,
                payload_type=number,
                clock_rate=clock,
                payload_size=payload_octets(name, round(clock * INTERVAL)),
                packet_interval=INTERVAL,
                receive_codecs=self._received,
                dtmf_payload_type=events if events >= 0 else EVENTS,
                dtmf_receive_payload_type=events,
                silence_warning=0.0,
                inactivity_limit=0.0,
                source=own,
            )
        )

    def _format_of(self, wish: StreamFile) -> Format | None:
        """The format that `rtp_stream` names; None = it names none."""
        formats = self._remote.formats if self._remote is not None else ()
        name, _, rate = wish.codec.partition("/")
        if name:
            clock = int(rate) if rate.isascii() and rate.isdigit() and len(rate) < 7 else 8000
            described = next((number for number, known, _ in formats if known.lower() == name.lower()), 0)
            return wish.payload_type if wish.payload_type >= 0 else described, name, clock or 8000
        if wish.payload_type < 0:
            return None
        number = wish.payload_type
        return next((each for each in formats if each[0] == number), (number, *STATIC.get(number, ("PCMU", 8000))))

    def _lose(self, event: media.StreamRefused, now: float) -> None:
        """Take that there is no stream any more."""
        if self.is_over:
            return
        self._end(event, now)
        if not self._closing:
            self._failed(_cause(event.reason), event.detail or event.reason, now)
        self._closed(now)

    def _end(self, event: Any, now: float) -> None:
        self.is_over = True
        self._lease.media_event(event, now)


def _cause(reason: str) -> str:
    """The failure by the reason of a media worker."""
    return reason_of(reason) or "media_refused"
