"""The user agents of one test, and what is shown of them when it fails.

Each keeps all SIP messages that it sends and receives, those outside of calls too. Its calls are cancelled after
`ring_time` without a final answer. At the end of the test all of them hang up and close. The report has the ladder of
each Call-ID once, because two phones of a test call each other; the files have everything of each phone.
"""

import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Self

import pytest

from sipswarm.actors.agent.placing import Placing
from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.trace.kept_messages import KeptMessages
from sipswarm.actors.trace.ladder import Ladder

from .errors import ErrorsOfTest
from .registrar import RegistrarOfTest

MOST_LADDERS: Final = 10
"""Of one phone in the report; the files have all."""
LONGEST_STEM: Final = 120
"""Characters of a file's name that are of the test."""
MOST_RECORDINGS: Final = 20
"""Calls of one test that are recorded."""
_NO_NAME = re.compile(r"[^\w.-]+")


class KeepingAgent(UserAgent):
    """A user agent whose messages are kept.

    Args:
        kept: takes them.
        errors: called with the text and the error of each failure that is logged.
        options: arguments of `UserAgent`, by their names.
    """

    def __init__(
        self, kept: KeptMessages, errors: Callable[[str, BaseException], None], options: Mapping[str, Any]
    ) -> None:
        super().__init__(**{**options, "trace": True})
        self._kept = kept
        self._errors = errors

    def __repr__(self) -> str:
        return f"<UserAgent {self.from_}>"

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._node.parts.actor_loop.crashes.also_tell(self._errors)
        trace = self._node.parts.output.trace
        if trace is not None:
            trace.put_to(self._kept)
        return self


class PhonesOfTest:
    """Starts and ends the user agents of one test.

    Args:
        options: arguments of each, by their names.
        ring_time: seconds without a final answer before CANCEL, for calls without one of their own.
        stem: what the names of the files begin with.
        folder: returns where they are written.
        recordings: folder for the recordings of the calls that the test places; None = they are not recorded.
        allow_errors: errors of the user's code that runs in the user agents do not fail the test.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        ring_time: float,
        *,
        stem: str,
        folder: Callable[[], Path],
        recordings: Path | None = None,
        allow_errors: bool = False,
    ) -> None:
        self._options = options
        self._recordings = recordings
        self._recorded: list[Call] = []
        self._placing = Placing(ring_time=ring_time, on_placed=None if recordings is None else self._watch)
        self._stem = _NO_NAME.sub("-", stem)[-LONGEST_STEM:].lstrip("-.")
        self._folder = folder
        self._running = AsyncExitStack()
        self._agents: dict[str, UserAgent] = {}
        self._kept: dict[str, KeptMessages] = {}
        self._errors = ErrorsOfTest(allowed=allow_errors)

    async def ua(self) -> UserAgent:
        """Return the user agent of the fixture `ua`; a test whose arguments are not valid fails."""
        try:
            return await self._start("ua", self._options)
        except (ConfigurationError, TypeError) as error:
            pytest.fail(f"the user agent of this test did not start: {error}", pytrace=False)

    async def phone(self, name: str, **options: Any) -> UserAgent:
        """Return the running user agent of a name; the first time it is started.

        Args:
            name: the user in its address, or the whole SIP URI.
            options: arguments of `UserAgent`, on top of those of the mark `sip`.

        Raises:
            ConfigurationError: an argument is not valid, an address is busy, or options came for a phone that runs.
        """
        if name in self._agents:
            if options:
                raise ConfigurationError(f"the phone {name!r} runs already; give its options the first time")
            return self._agents[name]
        given = {**self._options, **options}
        is_whole = "@" in name or given.get("domain")  # a domain completes the user
        address = name if is_whole else f"sip:{name}@127.0.0.1"
        return await self._start(name, {**given, "from_": options.get("from_", address)})

    async def registrar(self) -> RegistrarOfTest:
        """Return a registrar on free ports, without the arguments of the mark `sip`, which are those of phones."""
        return RegistrarOfTest(await self._start("registrar", {"from_": "sip:registrar@127.0.0.1"}))

    async def _start(self, name: str, options: Mapping[str, Any]) -> UserAgent:
        kept = KeptMessages(time.time() - time.monotonic())
        agent = await self._running.enter_async_context(KeepingAgent(kept, self._errors.of(name), options))
        self._kept[name] = kept
        self._agents[name] = agent.placing_as(self._placing)
        return self._agents[name]

    async def close(self) -> None:
        """Hang up all calls and close the user agents, the newest first.

        Raises:
            BaseException: the first error of the user's code, unless it was raised before.
        """
        await self._running.aclose()
        if self._recordings is not None:
            shutil.rmtree(self._recordings, ignore_errors=True)  # those of a failed test are copied
        self._errors.raise_first()

    def raise_error(self) -> None:
        """Raise the first error of the user's code, once for the whole test.

        Raises:
            BaseException: it.
        """
        __tracebackhide__ = True
        self._errors.raise_first()

    def excuse_errors(self) -> None:
        """Have the errors in the report only: the test has failed by itself."""
        self._errors.excuse()

    def evidence(self) -> Iterator[tuple[str, str]]:
        """Write a capture and the messages of each phone, and return title and text of each section of the report."""
        yield from self._errors.shown()
        folder: Path | None = None
        seen: set[str] = set()
        for name, kept in self._kept.items():
            if not len(kept):
                yield f"SIP of {name}", "no message was sent or received"
                continue
            ladders = kept.ladders()
            new = {call_id: ladder for call_id, ladder in ladders.items() if call_id not in seen}
            seen |= new.keys()
            lines = [str(ladder) for ladder in list(new.values())[:MOST_LADDERS]]
            if len(new) > MOST_LADDERS:
                lines.append(f"{len(new) - MOST_LADDERS} further ladders are in the file")
            if len(new) < len(ladders):
                lines.append(f"{len(ladders) - len(new)} of its calls are shown above")
            try:
                folder = folder or self._folder()
                lines.append(self._written(folder, name, kept, ladders))
            except OSError as error:
                lines.append(f"no files were written: {error}; name another folder by --sip-dir")
            yield f"SIP of {name}", "\n\n".join(lines)
        if self._recorded:
            try:
                yield "recordings", "\n".join(self._copied(folder or self._folder()))
            except OSError as error:
                yield "recordings", f"they could not be copied: {error}"

    def _watch(self, call: Call) -> None:
        call.attend(on_up=self._record)

    def _record(self, call: Call) -> None:
        """Record a call that is up, unless the test records it itself, or it has no media."""
        assert self._recordings is not None
        if not call.actor.media.demand.wanted:
            return
        sink = call.handler.sink if call.handler is not None else ("none",)
        if len(self._recorded) < MOST_RECORDINGS and not call.recordings and sink[:1] == ("none",):
            self._recorded.append(call)
            call.record(self._recordings / f"{len(self._recorded)}.wav", "stereo")

    def _copied(self, folder: Path) -> Iterator[str]:
        """Copy the recordings to the files of the report, and yield a line for each."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, call in enumerate(self._recorded, 1):
            file = folder / f"{self._stem}.{number}.wav"
            shutil.copyfile(str(call.recordings[0]), file)
            yield f"call to {call.to} (left received, right sent): {file}"

    def _written(self, folder: Path, name: str, kept: KeptMessages, ladders: Mapping[str, Ladder]) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{self._stem}.{_NO_NAME.sub('-', name)}"
        capture, text = folder / f"{stem}.pcap", folder / f"{stem}.txt"
        capture.write_bytes(kept.capture())
        text.write_text("\n\n\n".join(ladder.full() for ladder in ladders.values()) + "\n", "utf-8", "replace")
        return f"capture: {capture}\nmessages in full: {text}"
