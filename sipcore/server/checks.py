"""Checks of what the parts of a server are given: a mistake is an error at once, and not at the first request."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from ..message.grammar import is_token
from ..message.parser import METHODS

LONGEST_KEY: Final = 32
"""Octets of a secret of To tags (`transaction.stateless`)."""


def check_function(name: str, given: object, called_with: str) -> None:
    """Check that an argument can be called.

    Args:
        name: of the argument.
        called_with: what it is called with, in words.

    Raises:
        TypeError: it cannot; of a table the message names its method.
    """
    if callable(given):
        return
    kind = type(given).__name__
    fix = ""
    if hasattr(given, "get"):
        fix = ", such as the get of this one"
    elif hasattr(given, "__contains__"):
        fix = ", such as the __contains__ of this one"
    raise TypeError(f"{name} is {kind}; give a function that is called with {called_with}{fix}")


def check_optional_function(name: str, given: object, called_with: str) -> None:
    """As `check_function`; None is taken too."""
    if given is not None:
        check_function(name, given, called_with)


def check_tag_key(given: object) -> None:
    """Check a secret of To tags.

    Raises:
        TypeError: it is no octets.
        ValueError: it is too long.
    """
    if not isinstance(given, bytes):
        raise TypeError(f"tag_key is {type(given).__name__}; give octets, such as os.urandom(16)")
    if len(given) > LONGEST_KEY:
        raise ValueError(f"tag_key has {len(given)} octets; give at most {LONGEST_KEY}")


def check_method(given: object) -> None:
    """Check the name of a method, which is compared in its case (RFC 3261 section 7.1).

    Raises:
        ValueError: it is no token, or a known one in another case.
    """
    if not isinstance(given, str) or not is_token(given):
        raise ValueError(f"{given!r} is no method; write for example MESSAGE")
    if given not in METHODS and given.upper() in METHODS:
        raise ValueError(f"{given!r} is no method: case counts; write {given.upper()}")


def check_place(given: object) -> None:
    """Check a place of a chain: a pair of methods and handler.

    Raises:
        TypeError: it is none, or the methods are one text.
        ValueError: a method is none.
    """
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise TypeError('each argument of a chain is a pair; write Chain((("REGISTER",), register), ((), others))')
    methods, handler = given
    if isinstance(methods, str) or not isinstance(methods, Collection):
        raise TypeError(f"the methods of a handler are a collection, not {methods!r}; write for example ('REGISTER',)")
    for each in methods:
        check_method(each)
    check_function("the handler of a chain", handler, "a request, the time and the source")


def check_pattern(name: str, given: object) -> None:
    """Check a pattern for a header.

    Raises:
        TypeError: it is not compiled.
    """
    if not hasattr(given, "search"):
        raise TypeError(f"the pattern of {name} is {type(given).__name__}; give re.compile(…)")
