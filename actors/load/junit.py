"""The junit.xml of a run, so that any CI shows which expectation failed: a test case for each. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ..diagnosis.foreign_text import shown
from .failures import FailedCall

CASE: Final = "every {} meets its expectations"
"""The name of the test case of all calls, or of all requests."""


def junit_of(
    summary: dict[str, Any], reasons: tuple[str, ...], failures: dict[str, int], calls: Sequence[FailedCall] = ()
) -> str:
    """Return the document for a judged run.

    Args:
        summary: the content of summary.json.
        reasons: why it is not passed.
        failures: failed calls by missed expectation.
        calls: those that have a folder.
    """
    run, all_of_them = summary["run"], CASE.format(_noun(summary).removesuffix("s"))
    cases = list(_cases(summary, failures))
    broken = sum(text is not None for _, text in cases)
    if not broken and summary["exit_code"]:
        cases.append(("verdict", "; ".join(reasons) or summary["verdict"]))
        broken = 1
    suite = Element(
        "testsuite", name=f"sipswarm {shown(run['target'])}", timestamp=run["started"], time=str(run["seconds"])
    )
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(broken))
    suite.set("errors", "0")
    for name, text in cases:
        case = SubElement(suite, "testcase", classname="sipswarm", name=shown(name), time="0")
        if text is not None:
            lines = [shown(each) for each in reasons] or [shown(text)]
            if name == all_of_them:
                lines += (f"{each.folder}: {shown(each.failure)}, {shown(each.call_id)}" for each in calls)
            SubElement(case, "failure", message=shown(text)).text = "\n".join(lines)
    indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _noun(summary: dict[str, Any]) -> str:
    of: str = summary["arrivals"]["of"]
    return "calls" if of == "runs" else of


def _blamed(summary: dict[str, Any], blame: str) -> list[str]:
    failures = (each for each in summary["failures"] if each["blame"] == blame)
    return [f"{each['calls']} missed: {each['reason']}: {each['meaning']}" for each in failures]


def _share_failed(summary: dict[str, Any]) -> str:
    """Return how many failed; of a scenario neither its runs nor its calls alone are the whole of it."""
    calls, arrivals = summary["calls"], summary["arrivals"]
    if arrivals["of"] != "runs":
        return f"{calls['failed']} of {calls['planned']} {arrivals['of']} failed"
    return (
        f"{calls['failed']} failed; {calls['attempted']} calls in {arrivals['started']} of {arrivals['planned']} runs"
    )


def _cases(summary: dict[str, Any], failures: dict[str, int]) -> Iterator[tuple[str, str | None]]:
    """Yield (name, why it failed); None = it passed."""
    calls, generator = summary["calls"], summary["generator"]
    own = [*generator["reasons"], *_blamed(summary, "generator")]
    yield "generator is healthy", "; ".join(own) or None
    broken = _blamed(summary, "plan")
    if broken:
        yield "the plan can be carried out", "; ".join(broken)
    thresholds = summary["thresholds"]
    for each in thresholds:
        value = "nothing was counted" if each["value"] is None else f"it was {each['value']:.6g}"
        yield each["expression"], None if each["passed"] else value
    if not thresholds or summary["verdict"] == "calls_failed":
        parts = [f"{count} missed: {name}" for name, count in failures.items()]
        text = "; ".join([_share_failed(summary), *parts])
        yield CASE.format(_noun(summary).removesuffix("s")), text if calls["failed"] else None
