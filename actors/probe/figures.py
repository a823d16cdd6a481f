"""The figures of a probe in Prometheus' text format, in the names of its blackbox exporter, and the text for people.

`FIGURES` lists every name; a figure of a probe that has none, such as the expiry of a certificate over UDP, is left
out. Pure.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..counting.table import Metric
from ..diagnosis.foreign_text import shown_line
from ..transport.certificate_dates import shown_date
from .module import Module
from .report import PHASES, Failure, ProbeReport, place_of

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_WORDS_OF_FAILURES: Final = {
    Failure.RESOLVE: "its name has no address",
    Failure.CONNECT: "no connection came about, or no datagram could be sent",
    Failure.TLS: "the handshake failed or its certificate was refused",
    Failure.TIMEOUT: "no final response came in time",
    Failure.CODE: "the final response was another than expected",
    Failure.CREDENTIALS: "user and password were sent, and challenged again",
    Failure.MEDIA: "the media were not as expected",
    Failure.DIGITS: "the digits were not as expected",
    Failure.BINDING: "the registrar did not have the new contact, or had it after its removal",
    Failure.END: "the call ended too early, or its end or the removal was not confirmed",
    Failure.LOCAL: "the probe could not be carried out; the target was not judged",
}
FIGURES: Final = (
    Metric("probe_success", "gauge", (), "1 if everything was as expected, else 0."),
    Metric("probe_duration_seconds", "gauge", (), "Duration of the probe."),
    Metric("probe_dns_lookup_time_seconds", "gauge", (), "Time of the DNS lookup; 0 for an address."),
    Metric("probe_ip_protocol", "gauge", (), "IP version of the place that was tried last, 4 or 6; 0 = none."),
    Metric(
        "probe_sip_phase_duration_seconds",
        "gauge",
        ("phase",),
        "Duration of each phase; 0 = it was not reached, or there is none.",
        closed={"phase": PHASES},
    ),
    Metric("probe_sip_status_code", "gauge", (), "Final status; 0 = none came."),
    Metric(
        "probe_tls_earliest_cert_expiry",
        "gauge",
        (),
        "Unix time at which the certificate that the target showed expires.",
    ),
    Metric(
        "probe_sip_rtp_packets", "gauge", ("direction",), "RTP packets.", closed={"direction": ("sent", "received")}
    ),
    Metric("probe_sip_rtp_packets_lost", "gauge", (), "RTP packets of the target that did not come."),
    Metric("probe_sip_rtp_jitter_seconds", "gauge", (), "Interarrival jitter at the end of the call (RFC 3550)."),
    Metric("probe_sip_rtp_mos", "gauge", (), "MOS-CQE of the received audio, 1 to 4.5."),
    *(
        Metric(f"probe_failed_due_to_{each.value}", "gauge", (), f"1 if the probe failed because {words}.")
        for each, words in _WORDS_OF_FAILURES.items()
    ),
)
"""Every figure, in the order of the text."""


def figures_of(report: ProbeReport) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """Yield name, label values and value of each figure of a probe that has ended."""
    yield "probe_success", (), float(report.passed)
    yield "probe_duration_seconds", (), report.seconds
    yield "probe_dns_lookup_time_seconds", (), report.phases["resolve"]
    yield "probe_ip_protocol", (), 0.0 if report.hop is None else 6.0 if ":" in report.hop.host else 4.0
    for phase, seconds in report.phases.items():
        yield "probe_sip_phase_duration_seconds", (phase,), seconds
    yield "probe_sip_status_code", (), float(report.status)
    if report.certificate_expiry:
        yield "probe_tls_earliest_cert_expiry", (), report.certificate_expiry
    if report.media is not None:
        yield "probe_sip_rtp_packets", ("sent",), float(report.media.sent)
        yield "probe_sip_rtp_packets", ("received",), float(report.media.received)
        yield "probe_sip_rtp_packets_lost", (), float(report.media.lost)
        if report.media.received:
            yield "probe_sip_rtp_jitter_seconds", (), report.media.jitter
        if report.media.mos:
            yield "probe_sip_rtp_mos", (), report.media.mos
    for each in Failure:
        yield f"probe_failed_due_to_{each.value}", (), float(report.failure is each)


def exposition(report: ProbeReport) -> str:
    """Return the figures in Prometheus' text format, version 0.0.4."""
    found: dict[str, list[str]] = {}
    for name, labels, value in figures_of(report):
        found.setdefault(name, []).append(_sample(name, labels, value))
    lines = []
    for each in FIGURES:
        if each.name in found:
            lines += [f"# HELP {each.name} {each.help}", f"# TYPE {each.name} {each.kind}", *found[each.name]]
    return "\n".join((*lines, ""))


def _sample(name: str, labels: tuple[str, ...], value: float) -> str:
    """Return a line; label values are names of this file and of `report`, which need no quoting."""
    names = next(each.labels for each in FIGURES if each.name == name)
    pairs = ",".join(f'{label}="{text}"' for label, text in zip(names, labels, strict=True))
    return f"{name}{{{pairs}}} {value!r}" if pairs else f"{name} {value!r}"


def debug_text(report: ProbeReport, module: Module) -> str:
    """Return the steps of a probe, its SIP messages, its figures and its module, for people."""
    parts = [
        f"Steps of the probe of {shown_line(report.uri)}:",
        *(f"{note.after:8.3f} s  {note.text}" for note in report.notes),
        f"{report.seconds:8.3f} s  {'passed' if report.passed else 'failed'}",
        "",
    ]
    if report.ladder:
        parts += ["SIP messages:", report.ladder, ""]
    parts += ["Figures:", exposition(report), "Module:", *_options_of(module), ""]
    return "\n".join(parts)


def _options_of(record: Any, prefix: str = "") -> Iterator[str]:
    """Yield the fields of a module, without secrets."""
    for each in dataclasses.fields(record):
        value = getattr(record, each.name)
        if dataclasses.is_dataclass(value):
            yield from _options_of(value, f"{prefix}{each.name}.")
        elif each.repr:
            yield f"{prefix}{each.name} = {shown_line(repr(value))}"


def as_json(report: ProbeReport) -> str:
    """Return the report as a JSON object of one line."""
    found: Mapping[str, Any] = {
        "target": report.uri,
        "success": report.passed,
        "failure": report.failure.value if report.failure is not None else None,
        "detail": report.detail,
        "duration": report.seconds,
        "place": place_of(report.hop) if report.hop is not None else None,
        "status": report.status or None,
        "phases": report.phases,
        "certificate_expiry": report.certificate_expiry or None,
        "media": report.media._asdict() if report.media is not None else None,
        "digits": report.digits,
        "steps": [note._asdict() for note in report.notes],
    }
    return json.dumps(found, ensure_ascii=True)


def lines_of(report: ProbeReport) -> Iterator[str]:
    """Yield the report as lines for people."""
    for phase, seconds in report.phases.items():
        if seconds:
            yield f"{phase.replace('_', ' ')}: {seconds:.3f} s"
    if report.certificate_expiry:
        yield f"certificate: valid until {shown_date(report.certificate_expiry)}"
    if report.media is not None:
        media = report.media
        mos = f"{media.mos:.2f}" if media.mos else "unknown"
        yield (
            f"media: RTP sent {media.sent}, received {media.received}, lost {media.lost}, "
            f"jitter {media.jitter * 1000:.1f} ms, MOS {mos}"
        )
    if report.digits:
        yield f"digits received: {report.digits}"
    where = f" ({place_of(report.hop)})" if report.hop is not None else ""
    if report.failure is None:
        yield f"passed after {report.seconds:.3f} s{where}"
    else:
        yield f"FAILED ({report.failure.value}) after {report.seconds:.3f} s{where}: {report.detail}"
