"""How a user agent takes calls that come in: filter, `cb_create`, then a robot or `cb_invite` (man page `listen`)."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sipswarm.sipcore.message.messages import Request

from ..call.notices import InviteReceived
from ..call.state import State
from ..errors import ConfigurationError
from ..handle import notice_handlers
from ..handle.call import Call
from ..handle.call_owner import Placer
from ..handle.given_text import checked_callback, checked_refusal
from ..handle.robot_runs import Robot, checked_robot, run
from ..runtime.callbacks import Callback

REFUSED: Final = 403
"""Status for a call that the filter or `cb_create` refuses."""
Filter = Callable[[str, Request], Any] | re.Pattern[str] | None


class Reception:
    """The decisions of one `listen`; arguments as there.

    Args:
        placer: places calls that are made of an incoming one.

    Raises:
        ConfigurationError: one of them would fail at each call.
    """

    __slots__ = ("_cb_create", "_filter", "_placer", "_refuse_status", "_robot")

    def __init__(
        self,
        placer: Placer[Call],
        robot: Robot | None,
        chosen: Filter,
        cb_create: Callback,
        refuse_status: int,
    ) -> None:
        self._placer = placer
        self._robot = None if robot is None else checked_robot("robot", robot)
        self._filter = checked_callback("filter", chosen, ("sender", "request"))
        self._cb_create = checked_callback("cb_create", cb_create, ("call", "request"))
        self._refuse_status = checked_refusal("refuse_status", refuse_status)
        if refuse_status != REFUSED and chosen is None and cb_create is None:
            raise ConfigurationError("refuse_status answers what filter or cb_create refuses; give one of them")

    def on_call(self, call: Call, request: Request) -> None:
        """Filter an incoming call; then `cb_create`, the robot or `cb_invite` gets it."""
        call.belongs_to(self._placer)
        if self._filter is None:
            self._welcome(call, request, True)
        else:
            sender = str(request.from_.uri)
            then = partial(self._welcome, call, request)
            call.decide("the callback filter", self._filter, sender, request, then=then)

    def _welcome(self, call: Call, request: Request, wanted: Any) -> None:
        if call.state is State.OVER:
            return  # the remote side has cancelled the call meanwhile
        if not wanted:
            call.reject(self._refuse_status)
        elif self._cb_create is None:
            self._take(call, request, True)
        else:
            call.decide(
                "the callback cb_create", self._cb_create, call, request, then=partial(self._take, call, request)
            )

    def _take(self, call: Call, request: Request, made: Any) -> None:
        if call.state is State.OVER:
            return
        if not made:
            call.reject(self._refuse_status)
        elif callable(made):
            call.receive_by(made)
        elif self._robot is not None:
            run(call, self._robot)
        else:
            notice_handlers.answer_invite(call, InviteReceived(request))
