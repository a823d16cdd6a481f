"""Gives the calls of a scenario file their media streams, where the file or `--media` needs any."""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from sipswarm.media.messages import SourceSpec

from ...config import LoadConfig, RobotConfig
from ...handle.demand import media_wishes
from ...handle.media_lease import MediaLeases
from ...runtime.peer import MaySend, Peer
from ...sipp.program import Program
from .call import FileCall
from .file_media import FileMedia

MEDIA: Final = "media"
"""Names media to `may_send`."""
ACTIONS: Final = frozenset(("exec play_dtmf", "exec play_pcap_audio", "exec rtp_echo", "exec rtp_stream", "rtp_echo"))
"""Actions that need a stream."""
NONE: Final = "none"


def needs_stream(program: Program, config: LoadConfig | RobotConfig) -> bool:
    """Return whether the calls of a file have a media stream."""
    return config.media != NONE or any(use.name in ACTIONS for use in program.needs.actions)


def path_beside(scenario: str, name: str) -> str:
    """Return the path of a file that a scenario file names: beside that file, else as it is.

    Args:
        scenario: path of the scenario file.
        name: as it stands there.
    """
    beside = Path(scenario).parent / name
    return str(beside) if beside.is_file() else name


class CallStreams:
    """The streams of the calls of one call worker.

    Args:
        program: the scenario file.
        config: names the file, and what calls send while nothing is played.
        leases: of media ports.
        touch: has the loop look at a call.
        may_send: judges addresses that peers name; None = media may go to each.
    """

    def __init__(
        self,
        program: Program,
        config: LoadConfig | RobotConfig,
        leases: MediaLeases,
        touch: Callable[[FileCall], None],
        may_send: MaySend | None,
    ) -> None:
        self._needed = needs_stream(program, config)
        self._base: SourceSpec = media_wishes(config.media, 0.0).get("source", (NONE,))
        self._leases = leases
        self._touch = touch
        self._may_send = may_send
        self._path_of = lru_cache(maxsize=256)(partial(path_beside, program.file))

    def give(self, actor: FileCall, listener: int, ports: dict[str, int], peer: Peer) -> None:
        """Give a call its stream before it begins, if its calls have any.

        Args:
            listener: whose address the stream has, by its index.
            ports: gets the port by the names of its keywords.
            peer: the remote side.
        """
        if not self._needed:
            return
        media = FileMedia(
            self._leases.lease(listener),
            base=self._base,
            ports=ports,
            path_of=self._path_of,
            may_send=partial(self._permits, peer),
            opened=actor.media_opened,
            failed=actor.media_failed,
            closed=actor.media_closed,
        )
        actor.plays(media, self._touch)

    def _permits(self, peer: Peer, host: str) -> bool:
        return self._may_send is None or self._may_send(host, peer, MEDIA)
