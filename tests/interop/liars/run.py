"""Runs `sipswarm load` at a liar for one cell of the table and lists everything in its results that is not right.

Besides what the cell says, each run must hold what holds for all: it ends in time, no dialog is left open at the peer,
no time in its files is longer than the run, its files can be read, and no octet of the peer controls a terminal or a
page.
"""

import csv
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from ..node import command
from ..processes import free_port
from .lies import HOLD, LIES
from .peer import Peer
from .verdicts import BLAMES, CALLS, COLUMNS, EXIT_CODES, SCENARIO, Cell

STARTS_AND_ENDS_IN: Final = 18.0
"""seconds for a busy machine to start the processes of a load, to end them and to write its files"""
LONGEST: Final = STARTS_AND_ENDS_IN + 0.2 + HOLD + 32.0
"""seconds of a run: start, plan, hold and 64·T1, in which every transaction ends by itself"""
ATTEMPTS: Final = 3
"""runs of a cell on a machine that is too busy for a verdict on the other side"""
CONTROLS: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
FORMULA: Final = re.compile(r"[=+@-](?![\d.]+(e-?\d+)?$)")
NOT_ALL_COME: Final = {"media_after_bye": "it goes on when the load has ended and its ports are closed"}
"""lies of which the load counts at most what was sent, and why; of all others it counts every packet, as received or
discarded"""
OWN_COME_BACK: Final = {"own_description": "the load sends to its own ports"}
"""lies of which the load counts its own packets as sent and as discarded, and the peer none"""
NOT_ALL_ARRIVE: Final = frozenset({"rtp_closed", "rtp_closed_ipv6", "rtp_moves"})
"""lies of which the peer receives less than the load sends, because nobody listens at the port that is named"""
TIMES: Final = ("post_dial_delay", "answer_delay", "disconnect_delay", "duration", "lateness")


@dataclass(frozen=True)
class Outcome:
    """What a run left."""

    exit_code: int
    seconds: float
    summary: dict[str, Any]
    rows: list[dict[str, str]]
    folder: Path
    account: str
    output: bytes
    open_dialogs: int
    """that a 200 of the peer began and nobody ended, or nobody acknowledged"""
    packets: tuple[int, int]
    """that the peer sent from and received at its RTP ports; what it sends may be no RTP"""

    @property
    def busy(self) -> bool:
        """The machine was too busy: nothing but the health of the generator is wrong."""
        health = set(self.summary.get("generator", {}).get("reasons", ()))
        return self.exit_code == EXIT_CODES["untrustworthy"] and bool(health)


def run(cell: Cell, folder: Path) -> Outcome:
    """Run a cell, again when the machine was too busy."""
    outcome = _run(cell, folder / "1")
    for attempt in range(2, ATTEMPTS + 1):
        if not outcome.busy or cell.verdict == "untrustworthy":
            break
        outcome = _run(cell, folder / str(attempt))
    return outcome


def _arguments(cell: Cell, folder: Path) -> list[str]:
    password, scenario = folder / "password", folder / "scenario.py"
    password.write_text("secret\n")
    password.chmod(0o600)
    scenario.write_text(SCENARIO)
    port = free_port() & ~1
    words = {"%PASSWORD%": str(password), "%SCENARIO%": str(scenario), "%PORTS%": f"{port}-{port}"}
    arguments = []
    for each in COLUMNS[cell.column]:
        for word, value in words.items():
            each = each.replace(word, value)
        arguments.append(each)
    return [*arguments, "--call-workers", "1", "--media-workers", "1", "--quiet", "--out", str(folder / "out")]


def _run(cell: Cell, folder: Path) -> Outcome:
    folder.mkdir(parents=True)
    out = folder / "out"
    with Peer(LIES[cell.lie]) as peer:
        began = time.monotonic()
        with command("load", [peer.uri, *_arguments(cell, folder)], folder, "load") as program:
            exit_code = program.wait(LONGEST + 10)
            seconds = time.monotonic() - began
        summary = json.loads((out / "summary.json").read_text()) if (out / "summary.json").is_file() else {}
        rows: list[dict[str, str]] = []
        if (out / "calls.csv").is_file():
            with (out / "calls.csv").open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        open_dialogs = len(peer.begun - (peer.acked & peer.ended))
        output = program.output_path.read_bytes() + program.errors_path.read_bytes()
        return Outcome(exit_code, seconds, summary, rows, out, program.account(), output, open_dialogs, peer.packets)


def findings(cell: Cell, outcome: Outcome) -> list[str]:
    """What is not right, in sentences; none = the cell is as the table says."""
    found = [*_of_the_verdict(cell, outcome), *_of_the_calls(cell, outcome), *_of_the_times(outcome)]
    found += [*_of_the_packets(cell, outcome), *_of_the_files(outcome)]
    nowhere = bool(LIES[cell.lie].contact)  # ACK and BYE go where the peer has said, which is not to the peer
    if bool(outcome.open_dialogs) != nowhere:
        found.append(f"{outcome.open_dialogs} dialogs are left at the peer without ACK or BYE")
    longest = cell.within or LONGEST
    if outcome.seconds > longest:
        found.append(f"the run took {outcome.seconds:.1f} s, more than {longest:g} s")
    return found


def _of_the_verdict(cell: Cell, outcome: Outcome) -> list[str]:
    if not outcome.summary:
        return [f"there is no summary; exit code {outcome.exit_code}"]
    verdict, exit_code = outcome.summary["verdict"], outcome.exit_code
    if outcome.busy and cell.verdict != "untrustworthy":
        # Too busy in every attempt: what it would be follows from thresholds; the calls are judged in any case.
        missed = not all(each["passed"] for each in outcome.summary["thresholds"])
        return [] if missed == (cell.verdict == "thresholds_failed") else ["a threshold is not judged as it should be"]
    found = []
    if verdict != cell.verdict:
        found.append(f"the verdict is {verdict}, not {cell.verdict}")
    if exit_code != cell.exit_code:
        found.append(f"the exit code is {exit_code}, not {cell.exit_code}")
    if outcome.summary["exit_code"] != exit_code:
        found.append(f"summary.json says exit code {outcome.summary['exit_code']}, it was {exit_code}")
    return found


def _is(name: str, right: str) -> bool:
    return name.startswith(right[:-1]) if right.endswith("…") else name == right


def _of_the_calls(cell: Cell, outcome: Outcome) -> list[str]:
    found = []
    if len(outcome.rows) != CALLS:
        found.append(f"calls.csv has {len(outcome.rows)} rows, {CALLS} calls were planned")
    failed = [row["failure"] for row in outcome.rows if row["failure"]]
    wrong = sorted({name for name in failed if not any(_is(name, right) for right in cell.failure)})
    if wrong and (cell.failure or cell.verdict != "thresholds_failed"):
        found.append(f"calls failed by {', '.join(wrong)}, right is {' or '.join(cell.failure) or 'that none failed'}")
    if cell.failure and len(failed) != cell.count:
        found.append(f"{len(failed)} calls failed, {cell.count} have to")
    if cell.failure and not wrong and outcome.summary:
        blame = outcome.summary.get("blame", {})
        right = {each: cell.count if each == cell.blame else 0 for each in BLAMES}
        if blame != right:
            found.append(f"blame is {blame}, right is {right}")
    for row in outcome.rows:
        status = int(row["code"] or 0)
        if row["outcome"] == "redirected" and not 300 <= status < 400:
            found.append(f"a call with the final response {status} is called redirected")
    return found


def _of_the_times(outcome: Outcome) -> list[str]:
    found = []
    for row in outcome.rows:
        if row["start"] and not 0 <= float(row["start"]) <= outcome.seconds:
            found.append(f"a call started at {row['start']} s of a run of {outcome.seconds:.1f} s")
        found += [
            f"{name} is {row[name]} s in a run of {outcome.seconds:.1f} s"
            for name in TIMES
            if row[name] and not 0 <= float(row[name]) <= outcome.seconds
        ]
    return sorted(set(found))


def _of_the_packets(cell: Cell, outcome: Outcome) -> list[str]:
    """The peer's count of RTP is that of the load: loopback loses nothing, and the peer listens on after the call."""
    media = outcome.summary.get("media", {"rtp_sent": 0, "rtp_received": 0, "rtp_discarded": 0})
    sent, received = outcome.packets
    came = media["rtp_received"] + media["rtp_discarded"]
    if cell.lie in OWN_COME_BACK:
        returned = media["discards"].get("loop", 0)
        return [] if came == returned == media["rtp_sent"] else [f"{came} of {media['rtp_sent']} packets came back"]
    found = []
    if media["rtp_sent"] <= received if cell.lie in NOT_ALL_ARRIVE else media["rtp_sent"] != received:
        found.append(f"{media['rtp_sent']} RTP packets were sent by the load's count, {received} came to the peer")
    if came > sent or (came < sent and cell.lie not in NOT_ALL_COME):
        found.append(f"{came} RTP packets were received or discarded by the load's count, the peer sent {sent}")
    return found


def _of_the_files(outcome: Outcome) -> list[str]:
    found = []
    for path in sorted(outcome.folder.rglob("*")):
        if path.suffix in (".csv", ".html", ".json", ".xml", ".txt"):
            octets = path.read_bytes()
            if CONTROLS.search(octets):
                found.append(f"{path.name} has control characters")
            try:
                octets.decode()
            except UnicodeDecodeError:
                found.append(f"{path.name} is no UTF-8")
    if CONTROLS.search(outcome.output):
        found.append("control characters went to the terminal")
    page, junit = outcome.folder / "report.html", outcome.folder / "junit.xml"
    found += [f"there is no {path.name}" for path in (page, junit) if not path.is_file()]
    if page.is_file() and b"<script>alert" in page.read_bytes():
        found.append("a script of the peer stands in report.html")
    if junit.is_file():
        try:
            ElementTree.parse(junit)
        except ElementTree.ParseError as error:
            found.append(f"junit.xml: {error}")
    found += [
        f"calls.csv has a cell that a spreadsheet takes for a formula: {value[:20]!r}"
        for row in outcome.rows
        for value in row.values()
        if value and FORMULA.match(value)
    ]
    return sorted(set(found))
