"""What keywords stand for in all calls of a worker: addresses, options and files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sipswarm.sipcore.message.hop import Hop, bracketed

from ..injection import InjectionFiles
from ..keywords import CONSTANTS

SIPP_VERSION: Final = "3.6.1"
"""`[sipp_version]`: the version whose files are understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What keywords stand for in all calls of a worker."""

    texts: Mapping[str, str]
    """By keyword: `service`, `remote_ip`, `transport` …, Latin-1."""
    numbers: Mapping[str, int]
    """By keyword: `remote_port`, `local_port` …"""
    pid: int
    """`[pid]`, and part of `[branch]`."""
    wall: float
    """Unix time of monotonic time 0, in seconds."""
    injection: InjectionFiles
    """Files of `-inf`."""
    file: Callable[[str], str]
    """Returns the contents of a file for `[file]`; raises `ValueError` with what is wrong."""
    auth_uri: str = ""
    """`-auth_uri`: what stands behind `sip:` in the uri of `[authentication]`; empty = that of the target."""
    credentials: tuple[str, str] = ("", "")
    """Name and password of `[authentication]` without its own, SIPp's `-au` and `-ap`; empty ones are `[service]` and
    `password`, as in SIPp."""

    @property
    def constants(self) -> dict[str, str]:
        """Texts of the keywords that are the same for all calls, for `Program.bound`."""
        known = {**self.texts, **{name: str(number) for name, number in self.numbers.items()}, "pid": str(self.pid)}
        return {name: text for name, text in known.items() if name in CONSTANTS}


def texts_of(
    *, remote: Hop | None, remote_host: str, local: Hop, media_ip: str, service: str, users: int
) -> dict[str, str]:
    """Return the texts of keywords.

    Args:
        remote: the target by its address; a proxy (`-rsa`) changes nothing of it. None = the peer begins.
        remote_host: the same as the user wrote it.
        local: where they come from.
        media_ip: address for media; IPv6 without brackets.
        service: `-s`.
        users: number of users; -1 = calls have none.
    """
    return {
        "local_ip": bracketed(local.host),
        "local_ip_type": _kind(local.host),
        "media_ip": media_ip,
        "media_ip_type": _kind(media_ip),
        "remote_host": remote_host,
        "remote_ip": "" if remote is None else bracketed(remote.host),
        "server_ip": local.host,
        "service": service,
        "sipp_version": SIPP_VERSION,
        "transport": local.transport.upper(),
        "users": str(users),
    }


def numbers_of(*, remote: Hop, local: Hop) -> dict[str, int]:
    """Return the numbers of keywords.

    Args:
        remote: the target.
        local: where they come from.
    """
    return {"local_port": local.port, "remote_port": remote.port}


def _kind(host: str) -> str:
    """4 or 6, as it stands behind `IP` in a session description."""
    return "6" if ":" in host else "4"
