"""The timer values of RFC 3261 section 17 and table 4, as one frozen set of settings passed as an argument.

Knows no clock and starts nothing: it only says how long each lettered timer lasts, in seconds.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TimerSettings:
    """How long the lettered timers last, in seconds; the letters follow RFC 3261 table 4 and RFC 6026."""

    t1: float = 0.5
    """Estimate of the round trip time (17.1.1.1)."""
    t2: float = 4.0
    """Longest interval between retransmissions of non-INVITE requests and INVITE responses (17.1.2.2)."""
    t4: float = 5.0
    """How long a message stays in the network (17.1.2.2)."""
    d: float = 32.0
    """Timer D over UDP: wait for retransmitted INVITE answers; at least 32 s (17.1.1.2)."""
    c: float = 180.0
    """Longest a provisional answer keeps an INVITE alive without another one; more than 3 minutes (16.6)."""

    until_t2: float = field(init=False, repr=False, compare=False, default=0.0)
    """Time from the first sending of a non-INVITE request until timer E is set to T2 (RFC 4320 4.1)."""

    def __post_init__(self) -> None:
        elapsed = interval = self.t1
        while 0.0 < 2.0 * interval < self.t2:
            interval *= 2.0
            elapsed += interval
        object.__setattr__(self, "until_t2", elapsed)

    @property
    def timeout(self) -> float:
        """64*T1: how long a transaction waits for its end (timers B, F, H, L, M)."""
        return 64 * self.t1

    @property
    def a(self) -> float:
        """First INVITE retransmission over UDP; doubles each time (17.1.1.2)."""
        return self.t1

    @property
    def b(self) -> float:
        """INVITE transaction timeout (17.1.1.2)."""
        return 64 * self.t1

    @property
    def e(self) -> float:
        """First non-INVITE retransmission over UDP; doubles up to T2 (17.1.2.2)."""
        return self.t1

    @property
    def f(self) -> float:
        """Non-INVITE transaction timeout (17.1.2.2)."""
        return 64 * self.t1

    @property
    def g(self) -> float:
        """First retransmission of a final INVITE answer over UDP; doubles up to T2 (17.2.1)."""
        return self.t1

    @property
    def h(self) -> float:
        """Wait for the ACK to a final INVITE answer (17.2.1)."""
        return 64 * self.t1

    @property
    def i(self) -> float:
        """Wait for retransmitted ACKs over UDP (17.2.1)."""
        return self.t4

    @property
    def j(self) -> float:
        """Wait for retransmitted non-INVITE requests over UDP (17.2.2)."""
        return 64 * self.t1

    @property
    def k(self) -> float:
        """Wait for retransmitted non-INVITE answers over UDP (17.1.2.2)."""
        return self.t4

    @property
    def l(self) -> float:  # noqa: E743 - the letter is RFC 6026's name of the timer
        """Accepted state of an INVITE server transaction (RFC 6026 section 7.1)."""
        return 64 * self.t1

    @property
    def m(self) -> float:
        """Accepted state of an INVITE client transaction (RFC 6026 section 7.2)."""
        return 64 * self.t1
