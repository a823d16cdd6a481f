"""Scenario files as short texts for the tests."""

from collections.abc import Mapping

from sipswarm.actors.sipp.markup import read
from sipswarm.actors.sipp.program import Program
from sipswarm.actors.sipp.program_reader import read as read_program

INVITE = "<send><![CDATA[INVITE sip:[service] SIP/2.0\nCall-ID: [call_id]\n]]></send>"
ACK = "<send><![CDATA[ACK sip:[service] SIP/2.0\nCall-ID: [call_id]\n]]></send>"
OK = "<send><![CDATA[SIP/2.0 200 OK\n[last_Via:]\n]]></send>"


def program(inside: str, *, keys: Mapping[str, str] | None = None, allow_exec: bool = False) -> Program:
    """The program of a file with these elements, the first of which stands on line 2."""
    document = read(f"<scenario>\n{inside}\n</scenario>".encode(), "a.xml")
    return read_program(document, keys=keys, allow_exec=allow_exec)


def faults(found: Program) -> list[str]:
    """What cannot be run, each with its line."""
    return [f"{each.line}: {each.text}" for each in found.unsupported]


def told(found: Program) -> list[str]:
    """What is tolerated, each with its line."""
    return [f"{each.line}: {each.found}: {each.taken}" for each in found.tolerations]
