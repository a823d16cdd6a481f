"""The arrangement of one run of a robot's `setup(ua)`: addresses that are to be kept registered, and timers.

It takes effect as a whole when `setup` has come to its end, and not at all when it fails. So a reload with a bad file
changes nothing. Registrations that `setup` itself waited for are made at once; those of a failed run are given up.
Timers of the first arrangement run at once, too. A binding that two runs have in common must not be registered anew.
"""

from collections.abc import Callable
from pathlib import Path

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.hop import Hop

from ..agent.timer import Timer
from ..bus.slots import SlotMap
from ..errors import ConfigurationError
from ..handle.given_text import checked_flag
from ..registration.actor import RegistrationActor
from ..registration.keeper import MAX_BINDINGS, Binding, Key, Registrations
from ..registration.registrars import Find
from ..runtime.actor_loop import ActorLoop


class Arrangement:
    """One run of `setup` in one call worker.

    Args:
        folder: start of relative names of files.
        at_once: timers start when they are requested, because there is no earlier arrangement whose timers still run.
        is_draining: whether the worker comes to its end.
    """

    def __init__(
        self,
        actor_loop: ActorLoop,
        slots: SlotMap,
        registrations: Registrations,
        folder: Path,
        *,
        at_once: bool,
        is_draining: Callable[[], bool],
    ) -> None:
        self.folder = folder
        self.wanted: dict[Key, Binding] = {}
        self.made: dict[Key, RegistrationActor] = {}
        self.rate = 0.0
        """REGISTERs per second of the whole node; 0 = the usual."""
        self._actor_loop = actor_loop
        self._slots = slots
        self._registrations = registrations
        self._is_draining = is_draining
        self._at_once = at_once
        self._over = False
        self._timers: list[Timer] = []

    def owns(self, address: str) -> bool:
        """Whether this worker is the one that registers an address."""
        return self._slots.is_ours(address)

    def want(self, binding: Binding) -> None:
        """Keep a binding from the end of `setup` on.

        Raises:
            ConfigurationError: it is not an address or no registrar, is there twice, or is one too many.
        """
        for text in filter(None, (binding.address, binding.registrar, binding.contact)):
            try:
                uri = NameAddr.parse(text).uri
            except ParseError as error:
                raise ConfigurationError(f"{text!r} is no SIP URI: {error}; write sip:USER@HOST") from error
            if uri.scheme not in ("sip", "sips"):
                raise ConfigurationError(f"{text!r} is no SIP URI; write sip:USER@HOST")
        if binding.expires <= 0:
            raise ConfigurationError(
                f"{binding.address} cannot be kept registered for {binding.expires} s; give expires of 1 and more"
            )
        if binding.key in self.wanted:
            raise ConfigurationError(f"{binding.address} is to be registered twice with {binding.registrar}")
        if len(self.wanted) >= MAX_BINDINGS:
            raise ConfigurationError(f"more than {MAX_BINDINGS} addresses for one call worker; raise --call-workers")
        self.wanted[binding.key] = binding

    def add(self, binding: Binding, actor: RegistrationActor) -> None:
        """Keep a binding that `setup` itself has made.

        Args:
            actor: its registration.
        """
        self.wanted[binding.key] = binding
        self.made[binding.key] = actor

    def keep(self, binding: Binding) -> int | None:
        """Keep a binding of the arrangement before as it is.

        Returns:
            The seconds that it is still bound; None without it.
        """
        actor = self._registrations.kept(binding)
        if actor is None or actor.registration.bound_until is None:
            return None
        self.want(binding)
        self.made[binding.key] = actor
        return max(0, round(actor.registration.bound_until - self._actor_loop.now()))

    def register_at(self, rate: float) -> None:
        """Begin registrations at this rate.

        Args:
            rate: REGISTERs per second of the whole node, 0 = the usual.
        """
        self.rate = rate

    def every(self, timer: Timer, *, every_worker: bool) -> Timer:
        """Run a timer as long as this arrangement holds; return it.

        Args:
            every_worker: in each call worker; otherwise in the first only.
        """
        everywhere = checked_flag("every_worker", every_worker)
        if self._slots.own and not everywhere:
            return timer
        if self._at_once:
            timer.begin(self._actor_loop, self._is_over)
        else:
            self._timers.append(timer)
        return timer

    def _is_over(self) -> bool:
        return self._over or self._is_draining()

    def settle(self, hops: dict[str, Hop], find: Find) -> None:
        """Put this arrangement into effect, because `setup` came to its end.

        Args:
            hops, find: as for `Registrations.settle`.
        """
        registrations = self._registrations
        registrations.set_pace(self.rate)
        registrations.settle(self.wanted, self.made, hops, find)
        for timer in self._timers:
            timer.begin(self._actor_loop, self._is_over)
        self._timers.clear()

    def end(self) -> None:
        """Stop, because another arrangement holds from now on."""
        self._over = True
        self._timers.clear()

    def give_up(self) -> None:
        """Undo everything, because `setup` failed."""
        self.end()
        for actor in self.made.values():
            if not actor.stopped:
                self._actor_loop.guarded(actor, actor.unregister, self._actor_loop.now())
                self._actor_loop.touch(actor)
