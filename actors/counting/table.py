"""Every metric the node shows: name, kind, labels, meaning, buckets, and which label values can exist.

The table is the only place that defines them; processes count by name (`actors.counting.totals`), the node's side adds
up (`actors.supervisor.node_totals`), the exposition reads it (`actors.supervisor.exposition`). A metric is here once
something feeds it. Pure: no I/O, and nothing of any metrics library.

The label `process` (a slot's name, such as call-0) is put first by the node's side; a process leaves it out of what
it counts, because it has no need of its own name.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final, Literal, NamedTuple

from .labels import (
    ACTOR_KINDS,
    BLAMES,
    CALL_STATES,
    CALL_TABLES,
    CODECS,
    CODES,
    CONNECTION_STATES,
    DIRECTIONS,
    DTMF_ERRORS,
    DTMF_MODES,
    ENDED_BY,
    FAILURES,
    LENIENCIES,
    LINK_QUEUES,
    MEDIA_REFUSALS,
    METHODS,
    OTHER,
    OUTCOMES,
    QUEUES,
    RECORD_FATES,
    RECORD_KINDS,
    REGISTRATION_RESULTS,
    REQUEST_ENDS,
    ROLE_KINDS,
    ROLES,
    SCENARIO_EVENTS,
    SILENCES,
    SILENT_SIDES,
    STREAM_TRANSPORTS,
    TRANSPORTS,
    USUAL_CODES,
)

Kind = Literal["counter", "gauge", "histogram"]


class Metric(NamedTuple):
    """One row of the table."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    """One line; what is counted, in which unit."""
    buckets: tuple[float, ...] = ()
    """Upper edges of a histogram, without +Inf."""
    closed: Mapping[str, tuple[str, ...]] = {}
    """Label -> every value it may have; a value outside becomes `other`; a label that is not here is open."""
    at_start: Mapping[str, tuple[str, ...]] = {}
    """Label -> the values whose series exist from the start, where that is not the whole closed set."""
    fed_by: tuple[str, ...] = ()
    """Kinds of processes that count it, with the label `process`; empty = all. Others have no series of it."""

    @property
    def of_process(self) -> bool:
        """True when the node's side adds the process's name as the first label."""
        return bool(self.labels) and self.labels[0] == "process"

    @property
    def own_labels(self) -> tuple[str, ...]:
        """The labels that the process itself gives."""
        return self.labels[1:] if self.of_process else self.labels

    @property
    def width(self) -> int:
        """How many numbers one value of this metric is: 1, or for a histogram the sum and a count per bucket."""
        return len(self.buckets) + 2 if self.kind == "histogram" else 1

    def zeros(self) -> tuple[float, ...]:
        """The value of a series in which nothing was counted."""
        return (0.0,) * self.width

    def bound(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Own label values, each outside its closed set replaced by `other` (`OTHER` for a method)."""
        closed = self.closed
        if not closed:
            return tuple(labels)
        bounded = []
        for name, value in zip(self.own_labels, labels, strict=True):
            allowed = closed.get(name)
            if allowed is not None and value not in allowed:
                value = OTHER.upper() if name == "method" else OTHER
            bounded.append(value)
        return tuple(bounded)

    def children(self, known: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
        """Own label values of every series that exists from the start.

        Args:
            known: values of open labels that are known beforehand, such as the scenarios of the configuration; with
                an open label that is not in it there are none.
        """
        choices = [self.at_start.get(name) or self.closed.get(name) or known.get(name, ()) for name in self.own_labels]
        return product(*choices)


_LATENESS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.2)
_TRANSACTION = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_POST_DIAL = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 11.0, 16.0, 32.0)
_ANSWER = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0)
_DURATION = (
    1.0,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    180.0,
    300.0,
    600.0,
    1800.0,
    3600.0,
    7200.0,
    14400.0,
    43200.0,
    86400.0,
)
_PROBE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0)
_RESULT = {"result": ("success", "failure")}
_AUDIO = ("PCMU", "PCMA")

METRICS: Final[tuple[Metric, ...]] = (
    Metric("sipswarm_build_info", "gauge", ("version", "python", "core"), "Versions; constant 1."),
    Metric(
        "sipswarm_run_info",
        "gauge",
        ("run_id", "scenario_file"),
        "Which run this is; constant 1, and the only place of a run id.",
    ),
    Metric("sipswarm_target_call_rate", "gauge", ("scenario",), "Calls per second that the plan commands now."),
    # Calls.
    Metric(
        "sipswarm_call_attempts_total",
        "counter",
        ("scenario", "role"),
        "New calls begun, one per call and not per INVITE.",
        closed={"role": ROLES},
    ),
    Metric(
        "sipswarm_calls_finished_total",
        "counter",
        ("scenario", "role", "outcome"),
        "Calls whose INVITE got its final outcome, once per attempt.",
        closed={"role": ROLES, "outcome": OUTCOMES},
    ),
    Metric(
        "sipswarm_call_failures_total",
        "counter",
        ("scenario", "role", "reason"),
        "Why calls failed, by name.",
        closed={"role": ROLES, "reason": FAILURES},
    ),
    Metric(
        "sipswarm_calls_failed_total",
        "counter",
        ("scenario", "role", "blame"),
        "Failed calls by who is to blame: the system under test, the generator, or the plan.",
        closed={"role": ROLES, "blame": BLAMES},
    ),
    Metric(
        "sipswarm_calls_completed_total",
        "counter",
        ("scenario", "role", "ended_by"),
        "Answered calls torn down cleanly.",
        closed={"role": ROLES, "ended_by": ENDED_BY},
    ),
    Metric(
        "sipswarm_calls_active",
        "gauge",
        ("scenario", "role", "state"),
        "Live calls by state.",
        closed={"role": ROLES, "state": CALL_STATES},
    ),
    Metric(
        "sipswarm_arrivals_total",
        "counter",
        ("scenario",),
        "Arrivals of the plan that came due, started or dropped: calls, requests, or runs of a scenario.",
    ),
    Metric(
        "sipswarm_calls_dropped_total",
        "counter",
        ("scenario", "reason"),
        "Arrivals of the plan, calls, requests or runs of a scenario, that the generator could not start.",
        closed={"reason": ("limit", "no_port", "no_credentials", "overload")},
    ),
    Metric(
        "sipswarm_scenario_response_seconds",
        "histogram",
        ("scenario", "rtd"),
        "Response times of a scenario file of SIPp, by the names of its rtd.",
        _TRANSACTION,
    ),
    Metric(
        "sipswarm_scenario_counts_total",
        "counter",
        ("scenario", "counter"),
        "How often commands with a counter of a scenario file of SIPp were carried out, by its names.",
    ),
    Metric(
        "sipswarm_scenario_events_total",
        "counter",
        ("scenario", "event"),
        "Messages of scenario files of SIPp that were repeated, unexpected or answered by themselves, and warnings.",
        closed={"event": SCENARIO_EVENTS},
        at_start={"event": SCENARIO_EVENTS[:1]},
    ),
    Metric(
        "sipswarm_schedule_lateness_seconds",
        "histogram",
        ("scenario",),
        "Planned start to the INVITE really sent, when it is answered or has failed.",
        _LATENESS,
    ),
    Metric(
        "sipswarm_first_response_seconds",
        "histogram",
        ("scenario",),
        "INVITE to the first 1xx of any kind, or the final response.",
        _TRANSACTION,
    ),
    Metric(
        "sipswarm_post_dial_delay_seconds",
        "histogram",
        ("scenario", "result"),
        "INVITE to the first 18x or final response, never 100 (RFC 6076 SRD).",
        _POST_DIAL,
        closed=_RESULT,
    ),
    Metric("sipswarm_answer_delay_seconds", "histogram", ("scenario",), "INVITE to its 2xx.", _ANSWER),
    Metric(
        "sipswarm_disconnect_delay_seconds",
        "histogram",
        ("scenario", "result"),
        "BYE to its final response (RFC 6076 SDD).",
        _TRANSACTION,
        closed=_RESULT,
    ),
    Metric(
        "sipswarm_call_duration_seconds",
        "histogram",
        ("scenario", "role"),
        "Answer to the end of the call (RFC 6076 SDT).",
        _DURATION,
        closed={"role": ROLES},
    ),
    # Registrations.
    Metric(
        "sipswarm_registrations_total",
        "counter",
        ("result",),
        "REGISTERs to bind an address or to refresh it, by how they ended; removals are not counted.",
        closed={"result": REGISTRATION_RESULTS},
    ),
    Metric(
        "sipswarm_registrations_active", "gauge", (), "Bindings that registrars accepted and that this node refreshes."
    ),
    Metric(
        "sipswarm_registration_delay_seconds",
        "histogram",
        ("result",),
        "REGISTER to its final response, the round of a challenge included (RFC 6076 RRD).",
        _TRANSACTION,
        closed={"result": REGISTRATION_RESULTS},
    ),
    # Requests outside of calls.
    Metric(
        "sipswarm_out_of_dialog_requests_total",
        "counter",
        ("direction", "method", "code"),
        "Requests outside of calls that were sent or given to a handler, by how each ended.",
        closed={"direction": DIRECTIONS, "code": REQUEST_ENDS},
    ),
    Metric(
        "sipswarm_out_of_dialog_requests_active",
        "gauge",
        ("direction", "method"),
        "Requests outside of calls that wait for their final response.",
        closed={"direction": DIRECTIONS},
    ),
    Metric(
        "sipswarm_out_of_dialog_request_delay_seconds",
        "histogram",
        ("direction", "method"),
        "Request outside of calls to its final response or its end, repetitions and challenges included.",
        _TRANSACTION,
        closed={"direction": DIRECTIONS},
    ),
    # Registrar and proxy.
    Metric("sipswarm_registrar_bindings", "gauge", (), "Contacts that are bound at this registrar."),
    Metric(
        "sipswarm_proxy_messages_total",
        "counter",
        ("kind", "result"),
        "Messages that came to the proxy and were not for itself.",
        closed={"kind": ("request", "response"), "result": ("forwarded", "refused", "dropped", "unsent")},
    ),
    Metric("sipswarm_relayed_calls_active", "gauge", (), "Calls whose media this proxy relays."),
    Metric(
        "sipswarm_relayed_calls_total",
        "counter",
        ("end",),
        "Calls whose media this proxy relayed, or was to relay, by how that ended.",
        closed={"end": ("bye", "failed", "silent", "lost", "refused")},
    ),
    Metric(
        "sipswarm_subscriptions_active",
        "gauge",
        ("event",),
        "Subscriptions of this node that notifiers have accepted, by event package.",
    ),
    Metric(
        "sipswarm_subscriptions_served",
        "gauge",
        ("event",),
        "Subscriptions of others that handlers of this node have accepted, by event package.",
    ),
    Metric(
        "sipswarm_notifications_dropped_total",
        "counter",
        ("event",),
        "NOTIFYs of subscriptions that were dropped for newer ones, because nobody read them.",
    ),
    # SIP on the wire.
    Metric(
        "sipswarm_sip_requests_total",
        "counter",
        ("direction", "method", "transport"),
        "SIP requests, each time that one passes the wire.",
        closed={"direction": DIRECTIONS, "method": METHODS, "transport": TRANSPORTS},
        at_start={"method": ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"), "transport": ("udp",)},
    ),
    Metric(
        "sipswarm_sip_responses_total",
        "counter",
        ("direction", "method", "code"),
        "SIP responses, each time that one passes the wire.",
        closed={"direction": DIRECTIONS, "method": METHODS, "code": CODES},
        at_start={"method": ("INVITE", "BYE", "CANCEL"), "code": USUAL_CODES},
    ),
    Metric(
        "sipswarm_sip_retransmissions_total",
        "counter",
        ("direction", "method"),
        "SIP messages sent again, and requests and final responses received again, by the method of CSeq.",
        closed={"direction": DIRECTIONS, "method": METHODS},
        at_start={"method": ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS")},
    ),
    Metric(
        "sipswarm_transport_connections",
        "gauge",
        ("transport", "state"),
        "Connections of both directions.",
        closed={"transport": STREAM_TRANSPORTS, "state": CONNECTION_STATES},
    ),
    Metric(
        "sipswarm_transport_connections_dropped_total",
        "counter",
        ("reason",),
        "Connections that were closed for another one or not taken, for want of a place or a descriptor.",
        closed={"reason": ("made_room", "source", "full", "descriptors")},
    ),
    Metric(
        "sipswarm_tls_certificate_not_after_seconds",
        "gauge",
        (),
        "Unix time at which the certificate of TLS listeners expires; 0 without one.",
    ),
    Metric(
        "sipswarm_transport_pauses_total",
        "counter",
        (),
        "Times that a connection was not read, because its slot had no room.",
    ),
    Metric(
        "sipswarm_sip_transaction_timeouts_total",
        "counter",
        ("timer",),
        "Transactions that ended without an answer, by the timer of RFC 3261.",
        closed={"timer": ("B", "F", "H")},
    ),
    Metric(
        "sipswarm_sip_late_answers_total",
        "counter",
        ("result",),
        "Dialogs of 2xx that came when their INVITE was over: acknowledged and hung up, or ignored for their number.",
        closed={"result": ("hung_up", "ignored")},
    ),
    Metric(
        "sipswarm_sip_parse_errors_total",
        "counter",
        ("reason",),
        "Messages that could not be parsed, and connections whose framing could not be read.",
        closed={"reason": ("message", "framing")},
    ),
    Metric(
        "sipswarm_sip_leniencies_total",
        "counter",
        ("name",),
        "Faults of peers that were put up with, by name; see docs/sipcore.md.",
        closed={"name": LENIENCIES},
    ),
    Metric(
        "sipswarm_sip_unexpected_messages_total",
        "counter",
        ("scenario", "kind"),
        "Messages that belong to no call.",
        closed={"kind": ("request", "response")},
    ),
    Metric(
        "sipswarm_calls_taken_over_total",
        "counter",
        ("how",),
        "Calls of call workers that died: adopted or ended by the next one, lost, or never kept for it.",
        closed={"how": ("adopted", "ended", "lost", "unkept")},
    ),
    Metric(
        "sipswarm_poison_messages_total",
        "counter",
        (),
        "Messages turned away because processes died at the same octets before.",
    ),
    Metric(
        "sipswarm_sip_refused_total",
        "counter",
        ("reason",),
        "Requests refused without a call.",
        closed={
            "reason": (
                "overload",
                "max_calls",
                "fds",
                "ports",
                "draining",
                "quarantined",
                "starting",
                "stranger",
                "blocked",
                "dropped",
                "rate",
                "challenged",
                "unauthorized",
                "strict_source",
            ),
        },
    ),
    Metric(
        "sipswarm_destinations_refused_total",
        "counter",
        ("what",),
        "Messages and media streams to addresses that peers named, in networks that are not sent to.",
        closed={"what": ("sip", "media")},
    ),
    # Media.
    Metric(
        "sipswarm_rtp_streams_active",
        "gauge",
        ("direction", "codec"),
        "RTP streams that may send, and that may receive, by codec.",
        closed={"direction": DIRECTIONS, "codec": CODECS},
        at_start={"codec": _AUDIO},
    ),
    Metric(
        "sipswarm_rtp_ports_in_use",
        "gauge",
        ("process",),
        "RTP ports that are bound.",
        fed_by=("media",),
    ),
    Metric(
        "sipswarm_rtp_packets_total",
        "counter",
        ("direction", "codec"),
        "RTP packets.",
        closed={"direction": DIRECTIONS, "codec": CODECS},
        at_start={"codec": _AUDIO},
    ),
    Metric(
        "sipswarm_rtp_bytes_total",
        "counter",
        ("direction", "codec"),
        "Octets of RTP payload.",
        closed={"direction": DIRECTIONS, "codec": CODECS},
        at_start={"codec": _AUDIO},
    ),
    Metric(
        "sipswarm_rtp_packets_lost_total",
        "counter",
        ("codec",),
        "RTP packets expected and not received (RFC 3550 A.3), never below zero.",
        closed={"codec": CODECS},
        at_start={"codec": _AUDIO},
    ),
    Metric(
        "sipswarm_rtp_packets_due_total",
        "counter",
        ("codec",),
        "RTP packets due while the peer had to send, by sequence numbers and by time; added when a stream ends.",
        closed={"codec": CODECS},
        at_start={"codec": _AUDIO},
    ),
    Metric(
        "sipswarm_rtp_packets_missed_total",
        "counter",
        ("codec",),
        "RTP packets that were due and never came, those after the newest one included.",
        closed={"codec": CODECS},
        at_start={"codec": _AUDIO},
    ),
    Metric(
        "sipswarm_rtp_gap_seconds",
        "histogram",
        (),
        "Longest time without media while it was due, one sample per finished stream.",
        (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
    ),
    Metric(
        "sipswarm_rtp_relayed_packets_total",
        "counter",
        ("kind", "result"),
        "Datagrams that came to the relays of a proxy, by socket and by what became of them.",
        closed={
            "kind": ("rtp", "rtcp"),
            "result": ("forwarded", "bad_source", "no_destination", "oversize", "send_error"),
        },
    ),
    Metric(
        "sipswarm_rtp_packets_discarded_total",
        "counter",
        ("reason",),
        "RTP packets received and not used.",
        closed={
            "reason": (
                "duplicate",
                "late",
                "reordered",
                "bad_ssrc",
                "bad_payload",
                "bad_source",
                "malformed",
                "oversize",
                "direction",
                "loop",
                "srtp_auth",
                "srtp_replay",
                "undescribed",
                "no_stream",
            ),
        },
    ),
    Metric(
        "sipswarm_rtcp_packets_discarded_total",
        "counter",
        ("reason",),
        "RTCP packets received and not used.",
        closed={"reason": ("bad_source", "bad_ssrc", "malformed", "not_negotiated", "srtp_auth")},
    ),
    Metric(
        "sipswarm_rtp_send_lateness_seconds",
        "histogram",
        (),
        "How late the local sender was for a packet.",
        _LATENESS,
    ),
    Metric(
        "sipswarm_rtp_send_errors_total",
        "counter",
        (),
        "RTP and RTCP packets that the system refused to send: no route, an interface that is down, a firewall.",
    ),
    Metric(
        "sipswarm_network_down_seconds_total",
        "counter",
        ("interface",),
        "Seconds in which a local address that calls use was on no interface that was up and had its carrier.",
    ),
    Metric(
        "sipswarm_rtp_frames_skipped_total",
        "counter",
        ("process",),
        "Frames too late to be sent.",
        fed_by=("media",),
    ),
    Metric(
        "sipswarm_rtp_jitter_seconds",
        "histogram",
        ("codec",),
        "Interarrival jitter (RFC 3550 A.8), one sample per stream and interval.",
        (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5),
        closed={"codec": CODECS},
        at_start={"codec": _AUDIO},
    ),
    Metric(
        "sipswarm_rtp_loss_ratio",
        "histogram",
        ("codec",),
        "Share of packets lost or missed (the worse), one sample per finished stream.",
        (0.0, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5),
        closed={"codec": CODECS},
        at_start={"codec": _AUDIO},
    ),
    Metric(
        "sipswarm_rtp_round_trip_seconds",
        "histogram",
        (),
        "Round trip by RTCP (RFC 3550 section 6.4.1, LSR and DLSR).",
        _TRANSACTION,
    ),
    Metric(
        "sipswarm_rtp_mos",
        "histogram",
        ("codec",),
        "Estimated MOS-CQE (ITU-T G.107) of each finished stream; the edges are R 50, 60, 70, 80, 90.",
        (1.0, 2.0, 2.58, 3.1, 3.6, 4.03, 4.2, 4.34, 4.4),
        closed={"codec": CODECS},
        at_start={"codec": _AUDIO},
    ),
    Metric(
        "sipswarm_dtmf_events_total",
        "counter",
        ("direction", "mode"),
        "Digits sent and received.",
        closed={"direction": DIRECTIONS, "mode": DTMF_MODES},
    ),
    Metric(
        "sipswarm_dtmf_errors_total",
        "counter",
        ("mode", "kind"),
        "Digits that were missed, that were not expected, or that were received instead of another one.",
        closed={"mode": DTMF_MODES, "kind": DTMF_ERRORS},
    ),
    Metric(
        "sipswarm_media_refused_total",
        "counter",
        ("reason",),
        "Files, sources, recordings and streams that a media worker refused or gave up, by reason.",
        closed={"reason": MEDIA_REFUSALS},
    ),
    Metric(
        "sipswarm_media_silent_total",
        "counter",
        ("level",),
        "Streams on which nothing came though some was due: at the warning, and at the limit.",
        closed={"level": SILENCES},
    ),
    Metric(
        "sipswarm_calls_moved_media_total",
        "counter",
        ("scenario",),
        "Moves of a call's media to another media worker, after the loss of the one before, that the peer took.",
    ),
    Metric(
        "sipswarm_calls_one_way_media_total",
        "counter",
        ("scenario", "silent_side"),
        "Answered calls whose media should have flown both ways and came from one side only.",
        closed={"silent_side": SILENT_SIDES},
    ),
    # Actors, links and queues.
    Metric(
        "sipswarm_actors_active",
        "gauge",
        ("process", "kind"),
        "Actors that live in the process, those included whose call is over and whose transactions still run.",
        closed={"kind": ACTOR_KINDS},
        fed_by=("call",),
    ),
    Metric(
        "sipswarm_table_entries",
        "gauge",
        ("process", "table"),
        "Entries of the tables of a call worker; 0 in each at most 32 s after the last call.",
        closed={"table": CALL_TABLES},
        fed_by=("call",),
    ),
    Metric(
        "sipswarm_actor_mailbox_messages",
        "gauge",
        ("process",),
        "Events of calls that their users have not read yet.",
        fed_by=("call",),
    ),
    Metric(
        "sipswarm_actor_mailbox_deepest_messages",
        "gauge",
        ("process",),
        "The most of them that one call has.",
        fed_by=("call",),
    ),
    Metric(
        "sipswarm_bus_queue_messages",
        "gauge",
        ("process", "queue"),
        "Records that wait in the process for room on a link.",
        closed={"queue": LINK_QUEUES},
        fed_by=("dispatcher", "media"),
    ),
    Metric(
        "sipswarm_bus_messages_total",
        "counter",
        ("process", "direction", "kind"),
        "Records between processes, by link.",
        closed={"direction": DIRECTIONS, "kind": ("sip", "media", "control")},
    ),
    Metric(
        "sipswarm_bus_records_total",
        "counter",
        ("kind", "fate"),
        "Records between processes by what became of them: offered is the sum of all others and of those under way.",
        closed={"kind": RECORD_KINDS, "fate": RECORD_FATES},
    ),
    Metric(
        "sipswarm_bus_delay_seconds",
        "histogram",
        ("process",),
        "Send stamp of a link message to the start of its handling.",
        (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0),
    ),
    Metric(
        "sipswarm_bus_dropped_total",
        "counter",
        ("process", "reason"),
        "Records between processes that were refused or lost.",
        closed={
            "reason": ("hwm", "window", "no_route", "unsendable", "decode_error", "stale", "expired", "gap", "repeated")
        },
    ),
    Metric(
        "sipswarm_robot_labels_refused_total",
        "counter",
        (),
        "Values of metrics of user code that were counted under `other`, because there were too many series.",
    ),
    Metric(
        "sipswarm_call_records_total",
        "counter",
        ("process",),
        "Records of ended calls that call workers handed to the supervisor.",
        fed_by=("call",),
    ),
    Metric(
        "sipswarm_queue_dropped_total",
        "counter",
        ("process", "queue"),
        "Items that a full queue refused, by queue.",
        closed={"queue": QUEUES},
        at_start={"queue": tuple(each for each in QUEUES if each != "recordings")},
    ),
    Metric(
        "sipswarm_dispatch_batch_datagrams",
        "histogram",
        (),
        "Datagrams per link message of the dispatcher.",
        (1, 2, 4, 8, 16, 32, 64, 128, 256),
    ),
    # Processes.
    Metric(
        "sipswarm_event_loop_lag_seconds",
        "histogram",
        ("process",),
        "How late a timer of 0.1 s fired.",
        (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0),
    ),
    Metric(
        "sipswarm_gc_pause_seconds",
        "histogram",
        ("process",),
        "Pauses of the garbage collector.",
        (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2),
    ),
    Metric(
        "sipswarm_process_up",
        "gauge",
        ("process", "kind"),
        "1 while the heartbeat of the process is fresh.",
        closed={"kind": ROLE_KINDS},
    ),
    Metric(
        "sipswarm_process_restarts_total",
        "counter",
        ("kind", "reason"),
        "Processes replaced.",
        closed={"kind": ROLE_KINDS, "reason": ("crash", "hang", "oom", "memory", "rolling")},
        at_start={"kind": ROLE_KINDS[1:]},
    ),
    Metric(
        "sipswarm_http_connections_dropped_total",
        "counter",
        ("reason",),
        "Connections to the port of /metrics that were closed without their answer: too slow, or for others.",
        closed={"reason": ("deadline", "displaced", "no_descriptor", "refused")},
    ),
    Metric(
        "sipswarm_probes_total",
        "counter",
        ("module", "result"),
        "Probes that were asked for, by how they ended; refused ones sent nothing.",
        closed={"result": ("success", "failure", "refused")},
    ),
    Metric("sipswarm_probe_duration_seconds", "histogram", ("module",), "Duration of a probe.", _PROBE),
    Metric("sipswarm_probes_active", "gauge", ("module",), "Probes at work."),
    Metric(
        "sipswarm_process_starts_total",
        "counter",
        ("way",),
        "Processes started: by fork of the starter, or by exec, which takes longer, where it could not.",
        closed={"way": ("fork", "exec")},
    ),
    Metric(
        "sipswarm_process_starter_ready",
        "gauge",
        (),
        "1 while the process that forks the others has imported everything and can do so.",
    ),
    Metric(
        "sipswarm_process_start_failures_total",
        "counter",
        ("kind",),
        "Starts of processes that the system refused; each is tried again.",
        closed={"kind": ROLE_KINDS},
        at_start={"kind": ROLE_KINDS[1:]},
    ),
    Metric(
        "sipswarm_process_heartbeat_timestamp_seconds",
        "gauge",
        ("process",),
        "Unix time of the last heartbeat.",
    ),
    Metric(
        "sipswarm_process_cpu_seconds_total",
        "counter",
        ("process",),
        "CPU time, user and system, over all incarnations.",
    ),
    Metric(
        "sipswarm_process_resident_memory_bytes",
        "gauge",
        ("process",),
        "Resident memory of the process.",
    ),
    Metric(
        "sipswarm_stats_snapshots_missed_total",
        "counter",
        ("process",),
        "Gaps in the numbers of the snapshots that came.",
    ),
    Metric(
        "sipswarm_udp_socket_drops_total",
        "counter",
        ("process",),
        "Datagrams that the kernel dropped at a full local socket.",
        fed_by=("dispatcher",),
    ),
)

BY_NAME: Final[Mapping[str, Metric]] = {metric.name: metric for metric in METRICS}
EDGES: Final[Mapping[str, tuple[float, ...]]] = {metric.name: metric.buckets for metric in METRICS if metric.buckets}
"""Name -> upper edges of its buckets."""
