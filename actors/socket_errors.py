"""What the errors of sockets mean for a request of ours: whether to wait for its repetition, and whose fault it is."""

import errno
from typing import Final

from .request_loss import Loss

_LOCAL: Final = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EACCES, errno.EPERM, errno.EINVAL),
        *(errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EAFNOSUPPORT, errno.ENETDOWN, errno.ENETUNREACH),
        *(errno.EMSGSIZE, errno.EBADF),
    }
)
TRANSIENT: Final = frozenset({errno.EAGAIN, errno.EINTR, errno.ENOBUFS, errno.ENOMEM, errno.ECONNREFUSED})
"""errors of a datagram that its repetition may not meet again; ECONNREFUSED speaks of an earlier datagram"""


def loss_of(number: int | None) -> Loss:
    """What an error of connecting or sending means. number: errno, None = none was given."""
    return Loss.LOCAL if number in _LOCAL else Loss.UNREACHABLE
