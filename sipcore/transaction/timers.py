"""The timer values of RFC 3261 section 17 and table 4, as one frozen set of settings passed as an argument.

It uses no clock and starts nothing.
"""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class TimerSettings:
    """What the lettered timers are made of, in seconds (RFC 3261 table 4, RFC 6026).

    A, E and G begin with T1, I and K last T4, D stands for itself, and all others last `timeout`.
    """

    t1: float = 0.5
    """Estimate of the round trip time (17.1.1.1)."""
    t2: float = 4.0
    """Longest interval between retransmissions of non-INVITE requests and INVITE responses (17.1.2.2)."""
    t4: float = 5.0
    """How long a message stays in the network (17.1.2.2)."""
    d: float = 32.0
    """Timer D over UDP: wait for retransmitted INVITE answers; at least 32 s (17.1.1.2)."""

    @property
    def until_t2(self) -> float:
        """Time from the first sending of a non-INVITE request until timer E is set to T2 (RFC 4320 4.1)."""
        elapsed = interval = self.t1
        while 0.0 < 2.0 * interval < self.t2:
            interval *= 2.0
            elapsed += interval
        return elapsed

    @property
    def timeout(self) -> float:
        """64*T1: how long a transaction waits for its end (timers B, F, H, J, L, M)."""
        return 64 * self.t1
