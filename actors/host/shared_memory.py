"""Memory that processes share by its descriptor, and that no disk ever has (memfd_create(2))."""

import os


def new_memory(name: str, octets: int) -> int:
    """Return the descriptor of fresh memory, all zero; it is used page by page when it is written.

    Args:
        name: for /proc.

    Raises:
        OSError: no descriptor is free.
    """
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, octets)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
