"""The event loop of each process of a node, and of the command line. The only importer of uvloop."""

import asyncio

import uvloop


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A uvloop event loop."""
    return uvloop.new_event_loop()
