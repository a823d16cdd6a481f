"""Debian's Prometheus on a running answering and load node: what rules and dashboard ask has an answer.

Everything listens on 127.0.0.1 and is ended by its pid.
"""

import json
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.parser import parse

from ..e2e.agents import reply
from ..interop.node import Answer, NodeRun
from ..interop.peers import Peer, require
from ..interop.processes import LOOPBACK, Program, free_port, wait_until
from .queries import DEPLOY, RULES, Query, filled_in, panels, rules, selectors, variables

PROMETHEUS = Peer("Prometheus", "prometheus", ("--version",), r"prometheus, version ([\d.]+)", "prometheus")

CORE = frozenset(
    {
        "sipswarm_call_attempts_total",
        "sipswarm_calls_finished_total",
        "sipswarm_calls_active",
        "sipswarm_first_response_seconds_bucket",
        "sipswarm_post_dial_delay_seconds_bucket",
        "sipswarm_answer_delay_seconds_bucket",
        "sipswarm_disconnect_delay_seconds_bucket",
        "sipswarm_call_duration_seconds_bucket",
        "sipswarm_schedule_lateness_seconds_bucket",
        "sipswarm_rtp_packets_total",
        "sipswarm_dtmf_events_total",
        "sipswarm_event_loop_lag_seconds_bucket",
        "sipswarm_process_up",
        "sipswarm_build_info",
        "sipswarm_run_info",
        "sipswarm_target_call_rate",
        "sipswarm_registrations_active",
        "sipswarm_registrations_total",
        "sipswarm_registration_delay_seconds_bucket",
        "sipswarm_transport_connections",
        "sipswarm_actors_active",
        "sipswarm_actor_mailbox_messages",
        "sipswarm_actor_mailbox_deepest_messages",
        "sipswarm_bus_queue_messages",
        "sipswarm_rtp_mos_bucket",
        "up",
    }
)
"""a recording rule or a panel whose query begins with one of these must not be empty"""

CONFIGURATION = """
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [rules.yml]
scrape_configs:
  - job_name: sipswarm
    static_configs: [{{targets: ["{host}:{answer}"]}}]
  - job_name: sipswarm-load
    static_configs: [{{targets: ["{host}:{load}"]}}]
"""


class Registrar(threading.Thread):
    """Binds whoever asks for 4 s, so that a binding is refreshed again and again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self._socket.settimeout(0.2)
        self.port: int = self._socket.getsockname()[1]
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join(5)
        self._socket.close()

    def run(self) -> None:
        """Answer until the end."""
        while not self._ended.is_set():
            try:
                data, peer = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            request = parse(data)
            assert isinstance(request, Request)
            bound = reply(request, 200, ("Contact", str(request.contacts[0])), ("Expires", "4"))
            self._socket.sendto(bound.to_bytes(), peer)


class Prometheus:
    """A Prometheus of the test.

    Args:
        configuration: the text of its file, which names `rules.yml`.
        rules: the text of that file.
    """

    def __init__(self, folder: Path, configuration: str, rules: str) -> None:
        program = require(PROMETHEUS)
        self._folder = folder
        self._url = f"http://{LOOPBACK}:{free_port()}"
        (folder / "rules.yml").write_text(rules)
        file = folder / "prometheus.yml"
        file.write_text(configuration)
        self.program = Program(
            [
                program,
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'series'}",
                f"--web.listen-address={self._url.removeprefix('http://')}",
                "--log.level=warn",
            ],
            folder,
            "prometheus",
        )

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer of the HTTP API; an error is returned as a str."""
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def ready(self) -> None:
        """Wait until it answers."""

        def answers() -> bool:
            assert self.program.exit_code is None, self.program.account()
            try:
                return isinstance(self.get("status/buildinfo"), dict)
            except OSError:
                return False

        wait_until(answers, 10, self.program.account)

    def values(self, expression: str) -> list[float] | str:
        """What an expression is now, without what is no number; or the error."""
        data = self.get("query", query=expression)
        if isinstance(data, str):
            return data
        return [value for value in (float(each["value"][1]) for each in data["result"]) if value == value]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Scrapes a registered answering node and a load on it over TCP, for as long as the load lasts."""
    folder = tmp_path_factory.mktemp("prometheus")
    require(PROMETHEUS)
    with ExitStack() as stack:
        registrar = stack.enter_context(Registrar())
        by_tcp = f"{LOOPBACK}:{free_port()}"
        registered = ["--register", f"sip:ivr@{LOOPBACK}:{registrar.port}"]
        answer = Answer(folder, ["--listen", f"tcp:{by_tcp}", "--media", "ivr", *registered])
        stack.enter_context(answer.program)
        answer.ready()
        test = ["-r", "4", "--duration", "60s", "-d", "0s", "--media", "silence", "--expect-media"]
        digits = ["--dtmf", "????", "--expect-dtmf", "="]
        workers = ["--call-workers", "1", "--media-workers", "1", "--drain", "0s", "--out", str(folder / "results")]
        load = NodeRun(folder, "load", [f"sip:ivr@{by_tcp};transport=tcp", *test, *digits, *workers])
        stack.enter_context(load.program)
        running = Prometheus(
            folder,
            CONFIGURATION.format(host=LOOPBACK, answer=answer.metrics_port, load=load.metrics_port),
            RULES.read_text().replace("interval: 15s", "interval: 1s"),  # as often as it scrapes
        )
        stack.enter_context(running.program)
        running.ready()
        counted = "count(sum by (job) (sipswarm_call_attempts_total > 0)) == 2"
        wait_until(lambda: bool(running.values(counted)), 15, lambda: load.program.account() + answer.program.account())
        yield running


def test_everything_that_rules_and_dashboard_ask_is_answered(prometheus: Prometheus) -> None:
    asked = [Query(each.where, filled_in(each.expression)) for each in (*rules(), *panels())]
    alerts = {rule.where for rule in rules() if ":" not in rule.where}
    core = [each for each in asked if selectors(each.expression)[0].name in CORE and each.where not in alerts]
    assert {selectors(each.expression)[0].name for each in core} == CORE

    def empty() -> list[str]:
        return [each.where for each in core if not prometheus.values(each.expression)]

    wait_until(lambda: not empty(), 25, lambda: f"still without a value: {empty()}")
    errors = {each.where: found for each in asked if isinstance(found := prometheus.values(each.expression), str)}
    assert errors == {}


def test_a_registration_and_a_connection_are_counted_as_such(prometheus: Prometheus) -> None:
    live = 'sum(sipswarm_registrations_active{job="sipswarm"}) == 1'
    refreshed = 'sum(sipswarm_registrations_total{job="sipswarm",result="ok"}) > 1'
    connected = 'sum by (job) (sipswarm_transport_connections{transport="tcp",state="open"} > 0)'
    wait_until(lambda: bool(prometheus.values(live) and prometheus.values(refreshed)), 20, lambda: refreshed)
    assert prometheus.values('sum(sipswarm_registrations_total{result!="ok"})') == [0]
    assert len(prometheus.values(connected)) == 2


def test_every_rule_is_evaluated_without_an_error_and_a_healthy_test_raises_no_alarm_of_its_own(
    prometheus: Prometheus,
) -> None:
    def evaluated() -> dict[str, str]:
        groups = prometheus.get("rules")["groups"]
        return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}

    wait_until(lambda: set(evaluated().values()) == {"ok"}, 10, lambda: str(evaluated()))
    assert sorted(evaluated()) == sorted(rule.where for rule in rules())
    firing = {alert["labels"]["alertname"] for alert in prometheus.get("alerts")["alerts"]}
    # How late a process is depends on the machine; what is wrong whatever the machine is must not be said.
    assert not firing & {"SipswarmNodeDown", "SipswarmHeartbeatStale", "SipswarmProcessFlapping", "SipswarmOneWayMedia"}


@pytest.mark.parametrize(("series", "label"), variables(), ids=[label for _, label in variables()])
def test_a_variable_of_the_dashboard_has_values(prometheus: Prometheus, series: str, label: str) -> None:
    assert prometheus.get(f"label/{label}/values", **{"match[]": filled_in(series)})


def test_every_alert_is_shown_firing_and_silent() -> None:
    shown = (DEPLOY / "prometheus" / "rules_test.yml").read_text().split("alertname: ")[1:]
    silent = {each.split()[0] for each in shown if "exp_alerts: []" in each.partition("name:")[0]}
    firing = {each.split()[0] for each in shown if "exp_labels" in each.partition("name:")[0]}
    alerts = {rule.where for rule in rules() if ":" not in rule.where}
    assert firing == alerts
    assert silent == alerts
