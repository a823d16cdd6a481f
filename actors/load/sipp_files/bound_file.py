"""A scenario file bound to one local address: what its keywords stand for there, and the machines of its calls."""

import os
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from sipswarm.sipcore.message.hop import Hop

from ...sipp.call.context import CallContext, CallIdentity
from ...sipp.call.defaults import Local
from ...sipp.call.dialog import Dialog
from ...sipp.call.machine import ScenarioCall
from ...sipp.call.script import Script
from ...sipp.call.settings import Settings
from ...sipp.call.surroundings import Surroundings, numbers_of, texts_of
from ...sipp.injection import InjectionFiles
from ...sipp.program import Program
from ...sipp.variables import Value, Variables

REMOTE_PORT: Final = 5060
"""`[remote_port]` where the peer begins: SIPp's default, because the file sends nothing before the peer is known."""


class BoundFile:
    """The file, for all calls of a worker that share the address.

    Args:
        program: of the file.
        settings: of its calls.
        surroundings: what its keywords stand for.
        everyone: the values of its global variables; None = they have those of `variables`.
        variables: first values of global variables.
        seed: of what its calls draw.

    Raises:
        ConfigurationError: there is no such global variable.
    """

    __slots__ = ("_seed", "everyone", "script", "surroundings")

    def __init__(
        self,
        program: Program,
        settings: Settings,
        surroundings: Surroundings,
        *,
        everyone: list[Value] | None = None,
        variables: Mapping[str, str] | None = None,
        seed: int,
    ) -> None:
        self.script = Script(program.bound(surroundings.constants), settings)
        """The file, with the options of the run."""
        self.surroundings = surroundings
        """What its keywords stand for."""
        self.everyone = self.script.layout.global_values(variables or {}) if everyone is None else everyone
        """The values of its global variables."""
        self._seed = seed

    def machine(
        self, identity: CallIdentity, local: Hop, *, is_reliable: bool, user: list[Value] | None = None
    ) -> ScenarioCall:
        """Return the machine of a call.

        Args:
            identity: of the call; its number counts from 1.
            local: the local address.
            is_reliable: whether the transport repeats lost messages itself.
            user: values of the variables of its user; None = the call has values of its own.
        """
        number, pid = identity.number, self.surroundings.pid
        context = CallContext(
            self.surroundings,
            identity,
            Dialog(self.script.settings.base_cseq),
            Variables(self.script.layout, user, self.everyone),
            Random((self._seed << 40) ^ max(0, number - 1)),
        )
        address = f"{context.text('local_ip')}:{context.number('local_port')}"
        own = Local(local.transport.upper(), address, f"z9hG4bK-{pid}-{number}-end", f"{pid}-{number}")
        return ScenarioCall(self.script, context, is_reliable=is_reliable, local=own)


def surroundings_of(
    *,
    peer: Hop | None,
    peer_host: str = "",
    local: Hop,
    service: str,
    users: int = 0,
    media_port: int,
    injection: InjectionFiles,
    file: Callable[[str], str],
    auth_uri: str = "",
    credentials: tuple[str, str] = ("", ""),
) -> Surroundings:
    """Return what keywords stand for in all calls between two addresses.

    Args:
        peer: the target, wherever messages go first; None = the peer begins, and is known from then on.
        peer_host: its host as the user wrote it.
        local: where messages come from, as the peer sees it.
        service: `[service]`.
        users: number of users; 0 = calls have none.
        media_port: of calls without media.
        injection: files of `-inf`.
        file: returns the contents of a file for `[file]`.
        auth_uri: `-auth_uri`, without its scheme.
        credentials: user name and password for `[authentication]` without its own; empty = those of SIPp.
    """
    texts = texts_of(
        remote=peer, remote_host=peer_host, local=local, media_ip=local.host, service=service, users=users or -1
    )
    numbers = numbers_of(remote=peer or Hop(local.transport, "", REMOTE_PORT), local=local)
    media = dict.fromkeys(("media_port", "auto_media_port", "rtpstream_audio_port"), media_port)
    return Surroundings(
        texts=texts,
        numbers={**numbers, **media},
        pid=os.getpid(),
        wall=time.time() - time.monotonic(),
        injection=injection,
        file=file,
        auth_uri=auth_uri,
        credentials=(_octets(credentials[0]), _octets(credentials[1])),
    )


def _octets(text: str) -> str:
    """Return a text of the command line with one character for each octet, as the texts of calls are."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")
