"""One lie by hand: `python -m tests.interop.liars LIE --listen 127.0.0.1:5070`; `--list` shows them."""

import argparse
import signal
import sys

from . import page
from .lies import LIES
from .peer import Peer


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.interop.liars", description="A SIP peer that misbehaves.")
    parser.add_argument("lie", nargs="?", choices=sorted(LIES), metavar="LIE")
    parser.add_argument("--list", action="store_true", help="show all lies")
    parser.add_argument("--write-page", action="store_true", help="write the tables of docs/verdict.md")
    parser.add_argument("--listen", default="", metavar="ADDRESS:PORT", help="default: the lie's address, a free port")
    arguments = parser.parse_args()
    if arguments.write_page:
        page.main()
        return 0
    if arguments.list or not arguments.lie:
        for lie in LIES.values():
            sys.stdout.write(f"{lie.name:22} {lie.transport} {lie.says}\n")
        return 0
    host, _, port = arguments.listen.rpartition(":")

    def note(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    with Peer(LIES[arguments.lie], host.strip("[]"), int(port or 0), note=note) as peer:
        note(f"{peer.lie.name} at {peer.uri}: {peer.lie.says}; ends with SIGINT")
        signal.sigwait([signal.SIGINT, signal.SIGTERM])
        note(f"requests {dict(peer.heard)}, again {dict(peer.again)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
