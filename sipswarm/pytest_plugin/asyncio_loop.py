"""With pytest-asyncio: the user agents run in the event loop that pytest-asyncio has for fixtures and test.

A coroutine function that uses them needs no `@pytest.mark.asyncio`, in strict mode neither: without it no loop would
run the test.
"""

from collections.abc import AsyncIterator, Generator
from typing import Any

import pytest
import pytest_asyncio

from .settings import Phones, is_ours, phones_of


@pytest_asyncio.fixture
async def _sip_phones(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Phones]:
    phones = phones_of(request, tmp_path_factory)
    yield phones
    await phones.close()


@pytest_asyncio.fixture
async def ua(_sip_phones: Phones) -> object:
    """Return a running `sipswarm.UserAgent` on free ports, with the arguments of the mark `sip`."""
    return await _sip_phones.ua()


@pytest_asyncio.fixture
async def registrar(_sip_phones: Phones) -> object:
    """Return a running registrar: its `uri`, `users` with their passwords, `contacts(user)`, `registered(user)`."""
    return await _sip_phones.registrar()


@pytest.hookimpl(wrapper=True, trylast=True)  # innermost: pytest-asyncio looks for its mark after this
def pytest_pycollect_makeitem() -> Generator[None, Any, Any]:
    """Mark the tests that use a fixture or the mark of this plug-in for pytest-asyncio."""
    made = yield
    for item in made if isinstance(made, list) else [made]:
        if isinstance(item, pytest.Function) and is_ours(item) and not _has_a_loop(item):
            item.add_marker("asyncio")
    return made


def _has_a_loop(item: pytest.Function) -> bool:
    """Whether a test is marked for pytest-asyncio or anyio by its user."""
    return item.get_closest_marker("asyncio") is not None or item.get_closest_marker("anyio") is not None
