"""Without pytest-asyncio: each test of this plug-in gets an event loop, in which its coroutine function runs."""

import inspect
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

import pytest

from .settings import Phones, fail, is_ours, phones_of

Run = Callable[[Coroutine[Any, Any, object]], object]
RUN: Final = pytest.StashKey[Run]()
"""Where the item of a test has its way to run a coroutine."""


@pytest.fixture
def _sip_phones(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    if not inspect.iscoroutinefunction(request.function):
        fail(f"{request.node.name} uses a SIP user agent: write it as `async def`")
    import asyncio  # here, because a run without SIP does not need it

    phones = phones_of(request, tmp_path_factory)
    with asyncio.Runner() as runner:
        request.node.stash[RUN] = runner.run
        yield phones
        runner.run(phones.close())


@pytest.fixture
def ua(_sip_phones: Phones, request: pytest.FixtureRequest) -> object:
    """Return a running `sipswarm.UserAgent` on free ports, with the arguments of the mark `sip`."""
    return request.node.stash[RUN](_sip_phones.ua())


@pytest.fixture
def registrar(_sip_phones: Phones, request: pytest.FixtureRequest) -> object:
    """Return a running registrar: its `uri`, `users` with their passwords, `contacts(user)`, `registered(user)`."""
    return request.node.stash[RUN](_sip_phones.registrar())


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test in the event loop of its user agents, or in one of its own without them."""
    run = pyfuncitem.stash.get(RUN, None)
    if run is None:
        if not is_ours(pyfuncitem) or pyfuncitem.get_closest_marker("anyio") is not None:
            return None
        import asyncio  # here, as above

        run = asyncio.run
    wanted = inspect.signature(pyfuncitem.obj).parameters
    run(pyfuncitem.obj(**{name: value for name, value in pyfuncitem.funcargs.items() if name in wanted}))
    return True
