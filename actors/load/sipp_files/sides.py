"""The scenario files of a load, ready for the calls of one worker: two of them are the sides of each call (3PCC)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from sipswarm.sipcore.message.uri import Uri

from ...config import LoadConfig
from ...sipp.injection import InjectionFiles
from ...sipp.program import Program
from ..requests.route import Route
from .bound_file import BoundFile, surroundings_of
from .call_streams import CallStreams
from .named_texts import NamedTexts
from .programs import program_of
from .settings import settings_of

SERVICE: Final = "service"
"""`[service]` where the target has no user."""
OTHER_PID: Final = 1 << 23
"""Added to `[pid]` in the other side of a call, so that both have branches and tags of their own."""


class Side(NamedTuple):
    """One file."""

    file: BoundFile
    program: Program
    streams: CallStreams
    """Gives its calls their media."""


def sides_of(
    config: LoadConfig,
    route: Route,
    injection: InjectionFiles,
    media_port: int,
    streams: Callable[[Program], CallStreams],
) -> tuple[Side, Side | None]:
    """Return the file of a load, and the one of the other side of each call; None = there is none.

    Args:
        route: of their messages.
        injection: files of `-inf`.
        media_port: of calls without media.
        streams: returns what gives the calls of a file their media.

    Raises:
        ConfigurationError: a file cannot be taken.
    """
    programs = [program_of(path, config.sipp) for path in (config.scenario, config.sipp_load.second_file) if path]
    target = Uri.parse(config.target)
    first = surroundings_of(
        peer=route.target(),
        peer_host=target.host,
        local=route.local().seen,
        service=target.user or SERVICE,
        users=injection.users,
        media_port=media_port,
        injection=injection,
        file=NamedTexts(config.scenario, [use.name for each in programs for use in each.needs.files]).text,
        auth_uri=config.sipp_load.authentication_uri.removeprefix("sip:"),
        credentials=route.credentials,
    )
    settings, seed = settings_of(config), config.seed
    sides = [
        Side(BoundFile(program, settings, surroundings, variables=variables, seed=seed), program, streams(program))
        for program, surroundings, variables in zip(
            programs,
            (first, replace(first, pid=first.pid + OTHER_PID)),
            (dict(config.sipp.variables), {}),
            strict=False,
        )
    ]
    return sides[0], sides[1] if len(sides) > 1 else None
