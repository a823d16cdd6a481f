"""With pytest-asyncio: the user agents run in the event loop that pytest-asyncio has for fixtures and test.

A coroutine function that uses them needs no `@pytest.mark.asyncio`, in strict mode neither: without it no loop would
run the test.
"""

import inspect
from collections.abc import AsyncIterator, Generator
from typing import Any, Final

import pytest
import pytest_asyncio

from .settings import Phones, phones_of

FIXTURES: Final = ("_sip_phones", "ua", "registrar")


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
    """Mark the tests that use the fixtures of this file for pytest-asyncio."""
    made = yield
    for item in made if isinstance(made, list) else [made]:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj) and _uses_ours(item):
            item.add_marker("asyncio")
    return made


def _uses_ours(item: pytest.Function) -> bool:
    """Whether a test asks for a fixture of this file, and not for a user's of the same name."""
    if item.get_closest_marker("asyncio") is not None or item.get_closest_marker("anyio") is not None:
        return False
    found = item._fixtureinfo.name2fixturedefs
    return any(name in found and found[name][-1].func.__module__ == __name__ for name in FIXTURES)
