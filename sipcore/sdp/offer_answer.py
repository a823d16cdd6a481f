"""Offer/answer as a machine of its own: whose turn it is, and the two descriptions that hold.

RFC 3264 sections 4 and 8, RFC 6337 section 2. One machine belongs to one dialog; a forked call copies it. It checks
that offers and answers fit each other. It must not depend on the SIP messages that carry them. How offers and answers
are made and read stands in `negotiation`, whose names are given on here.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, final

from ..errors import LocalProtocolError, RemoteProtocolError
from .description import SessionDescription
from .media_attributes import Codec
from .negotiation import (
    DEFAULT_CODECS,
    EVENTS,
    PCMA,
    PCMU,
    Hold,
    LocalMedia,
    NegotiatedLine,
    NothingFits,
    codec_for,
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

__all__ = [
    "DEFAULT_CODECS",
    "EVENTS",
    "PCMA",
    "PCMU",
    "TRANSITIONS",
    "Codec",
    "Hold",
    "Input",
    "LocalMedia",
    "NegotiatedLine",
    "NothingFits",
    "OfferAnswer",
    "State",
    "codec_for",
    "is_rtp",
    "is_secure",
    "make_answer",
    "make_offer",
    "moved_line",
    "negotiated",
    "put_on_hold",
    "revise",
    "wanted_lines",
]


class State(Enum):
    """Where an offer/answer exchange stands."""

    IDLE = auto()
    """No description has been agreed."""
    LOCAL_OFFER = auto()
    """Our offer waits for the peer's answer."""
    REMOTE_OFFER = auto()
    """The peer's offer waits for our answer."""
    STABLE = auto()
    """Both descriptions hold; either side may offer."""


class Input(Enum):
    """What can happen to an exchange."""

    LOCAL_OFFER = auto()
    REMOTE_OFFER = auto()
    LOCAL_ANSWER = auto()
    REMOTE_ANSWER = auto()
    REJECT = auto()
    """The pending offer is refused or its request failed: what held before holds again."""


class Action(Enum):
    """What a transition does with the descriptions."""

    PROPOSE = auto()
    """Keep the description as the pending offer."""
    AGREE = auto()
    """Pending offer and this answer become the current descriptions."""
    ROLL_BACK = auto()
    """Forget the pending offer; without an earlier agreement the next state is IDLE."""


TRANSITIONS: Final[Mapping[tuple[State, Input], tuple[State, Action]]] = {
    # RFC 3264 section 4: either side may start; section 5: the first offer.
    (State.IDLE, Input.LOCAL_OFFER): (State.LOCAL_OFFER, Action.PROPOSE),
    (State.IDLE, Input.REMOTE_OFFER): (State.REMOTE_OFFER, Action.PROPOSE),
    # Section 6: one answer to each offer. Section 4: no second offer before it.
    (State.LOCAL_OFFER, Input.REMOTE_ANSWER): (State.STABLE, Action.AGREE),
    (State.REMOTE_OFFER, Input.LOCAL_ANSWER): (State.STABLE, Action.AGREE),
    # Section 4: a refused offer leaves the session as it was. RFC 6337 section 3.4 and RFC 3261 section 14.1 say when.
    (State.LOCAL_OFFER, Input.REJECT): (State.STABLE, Action.ROLL_BACK),
    (State.REMOTE_OFFER, Input.REJECT): (State.STABLE, Action.ROLL_BACK),
    # Section 8: at any time either side may modify the session.
    (State.STABLE, Input.LOCAL_OFFER): (State.LOCAL_OFFER, Action.PROPOSE),
    (State.STABLE, Input.REMOTE_OFFER): (State.REMOTE_OFFER, Action.PROPOSE),
}

_REMOTE_INPUTS: Final = frozenset((Input.REMOTE_OFFER, Input.REMOTE_ANSWER))


@final
class OfferAnswer:
    """The exchange of one dialog.

    `state`; `local` and `remote`, the descriptions that hold (None before the first agreement); `pending`, the offer
    that waits for its answer, or None. What the state forbids raises and changes nothing: LocalProtocolError when we
    request it, RemoteProtocolError when the peer does it, with 491 for an offer that crosses the local one, 500 for an
    offer before the last one was answered (RFC 3261 section 14.2, RFC 6337 section 2.3), 488 for an offer that drops m=
    lines.
    """

    __slots__ = ("local", "pending", "protocols", "remote", "state")

    def __init__(self) -> None:
        self.state = State.IDLE
        self.local: SessionDescription | None = None
        self.remote: SessionDescription | None = None
        self.pending: SessionDescription | None = None
        self.protocols: tuple[str, ...] = ()
        """The protocol in which each m= line was last in use, empty for one that never was."""

    @classmethod
    def agreed_before(
        cls, local: SessionDescription, remote: SessionDescription, protocols: tuple[str, ...]
    ) -> "OfferAnswer":
        """Return the exchange in which these descriptions hold, agreed on in another process."""
        exchange = cls()
        exchange.state, exchange.local, exchange.remote, exchange.protocols = State.STABLE, local, remote, protocols
        return exchange

    def local_offer(self, description: SessionDescription) -> None:
        """We offer.

        Raises:
            LocalProtocolError: out of turn, or when m= lines of the session are missing.
        """
        self._step(Input.LOCAL_OFFER, description)

    def remote_offer(self, description: SessionDescription) -> None:
        """The peer offers.

        Raises:
            RemoteProtocolError: with the status to refuse it with.
        """
        self._step(Input.REMOTE_OFFER, description)

    def local_answer(self, description: SessionDescription) -> None:
        """We answer.

        Raises:
            LocalProtocolError: out of turn, or when the answer does not fit the offer.
        """
        self._step(Input.LOCAL_ANSWER, description)

    def remote_answer(self, description: SessionDescription) -> None:
        """The peer answers.

        Raises:
            RemoteProtocolError: out of turn, or when the answer does not fit the offer.
        """
        self._step(Input.REMOTE_ANSWER, description)

    def reject(self) -> None:
        """The pending offer, of either side, is refused or failed.

        Raises:
            LocalProtocolError: none is pending.
        """
        self._step(Input.REJECT, None)

    def copy(self) -> "OfferAnswer":
        """The same exchange for another early dialog of a forked call (RFC 6337 section 3.1)."""
        other = OfferAnswer()
        other.state, other.local, other.remote, other.pending = self.state, self.local, self.remote, self.pending
        other.protocols = self.protocols
        return other

    def agreed(self) -> tuple[NegotiatedLine, ...]:
        """What holds now, line by line; empty before the first agreement."""
        if self.local is None or self.remote is None:
            return ()
        return negotiated(self.local, self.remote)

    def _step(self, happened: Input, description: SessionDescription | None) -> None:
        step = TRANSITIONS.get((self.state, happened))
        if step is None:
            raise self._out_of_turn(happened)
        state, action = step
        if action is Action.ROLL_BACK:
            self.pending = None
            self.state = state if self.local is not None else State.IDLE
            return
        assert description is not None
        if action is Action.PROPOSE:
            self._check_offer(happened, description)
            self.pending = description
        else:
            self._check_answer(happened, description)
            if happened is Input.REMOTE_ANSWER:
                self.local, self.remote = self.pending, description
            else:
                self.local, self.remote = description, self.pending
            self.pending = None
            self._note_protocols()
        self.state = state

    def _note_protocols(self) -> None:
        # A line that is off (port 0) settles nothing: what it was in use with holds when it comes back.
        assert self.local is not None
        assert self.remote is not None
        before = self.protocols
        self.protocols = tuple(
            [
                ours.protocol if ours.port and theirs.port else before[number] if number < len(before) else ""
                for number, (ours, theirs) in enumerate(zip(self.local.media, self.remote.media, strict=True))
            ]
        )

    def _out_of_turn(self, happened: Input) -> LocalProtocolError | RemoteProtocolError:
        reason = f"{happened.name.lower()} in state {self.state.name.lower()}"
        if happened not in _REMOTE_INPUTS:
            return LocalProtocolError(reason)
        crossing = happened is Input.REMOTE_OFFER and self.state is State.LOCAL_OFFER
        return RemoteProtocolError(reason, 491 if crossing else 500)

    def _check_offer(self, happened: Input, description: SessionDescription) -> None:
        # RFC 3264 section 8: the number of m= lines never falls.
        current = self.local
        if current is not None and len(description.media) < len(current.media):
            raise _fault(happened, "offer drops media lines of the session")

    def _check_answer(self, happened: Input, description: SessionDescription) -> None:
        # RFC 3264 section 6: exactly as many m= lines, each of the same media. Directions and ports that break a rule
        # are not refused here: `negotiated` reads them in the way that is safe (a stream that one side refused is off).
        assert self.pending is not None
        offered = self.pending.media
        if len(description.media) != len(offered):
            raise _fault(happened, f"answer has {len(description.media)} media lines, the offer {len(offered)}")
        for ours, theirs in zip(offered, description.media, strict=True):
            if ours.media.lower() != theirs.media.lower():
                raise _fault(happened, "answer changes the kind of a media line")


def _fault(happened: Input, reason: str) -> LocalProtocolError | RemoteProtocolError:
    return RemoteProtocolError(reason, 488) if happened in _REMOTE_INPUTS else LocalProtocolError(reason)
