"""Debian's Prometheus asks `sipswarm probe --serve` by the job of deploy/: three targets, alerts that fire and resolve.

Everything listens on 127.0.0.1 and is ended by its pid.
"""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ..interop.node import Answer, command
from ..interop.peers import require
from ..interop.processes import LOOPBACK, free_port, wait_until
from .queries import DEPLOY, RULES, filled_in, panels
from .test_prometheus import PROMETHEUS, Prometheus

JOBS = ("sipswarm-probe", "sipswarm-prober")
SECONDS = 60.0


def job(name: str) -> str:
    """The text of a job of deploy/prometheus/prometheus.yml."""
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    found = re.search(rf"^  - job_name: {name}\n((?: {{4}}.*\n)+)", text, re.MULTILINE)
    assert found is not None
    return found[0]


class Scene:
    """The service, its three targets and a Prometheus."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.good = Answer(folder, name="good")
        stack.enter_context(self.good.program)
        self.busy = Answer(folder, ["--status", "503"], name="busy")
        stack.enter_context(self.busy.program)
        dead = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        dead.bind((LOOPBACK, 0))
        self.dead = f"sip:{LOOPBACK}:{dead.getsockname()[1]}"
        self.service = f"{LOOPBACK}:{free_port()}"
        modules = str(DEPLOY / "prometheus" / "probe.toml")
        serving = command("probe", ["--serve", self.service, "--modules", modules], folder, "probe")
        stack.enter_context(serving)
        self.good.ready()
        self.busy.ready()
        wait_until(lambda: "probes at " in serving.output, SECONDS, serving.account)
        targets = [f"sip:{self.good.address}", f"sip:{self.busy.address}", self.dead]
        text = "".join(map(job, JOBS)).replace("probe:9115", self.service)
        text = text.replace("- sip:172.30.64.10:5060", "\n          ".join(f"- {each}" for each in targets))
        text = text.replace("scrape_interval: 15s", "scrape_interval: 2s").replace(
            "scrape_timeout: 10s", "scrape_timeout: 2s"
        )
        text = text.replace("scrape_timeout: 4s", "scrape_timeout: 1s")
        every_second = "global: {scrape_interval: 1s, evaluation_interval: 1s}"
        self.prometheus = Prometheus(
            folder,
            f"{every_second}\nrule_files: [rules.yml]\nscrape_configs:\n{text}",
            re.sub(r"( for|interval): \d+[sm]", r"\1: 1s", RULES.read_text()),
        )
        stack.enter_context(self.prometheus.program)
        self.prometheus.ready()

    def recover(self) -> None:
        """Start a target that takes calls in the place of the busy one."""
        self.busy.program.end()
        listen = ["--listen", f"udp:{self.busy.address}", "--metrics", "off"]
        self._stack.enter_context(command("answer", listen, self._folder, "recovered"))

    def firing(self) -> set[tuple[str, str]]:
        """Name and target of each alert that fires."""
        return {
            (each["labels"]["alertname"], each["labels"].get("instance", ""))
            for each in self.prometheus.get("alerts")["alerts"]
            if each["state"] == "firing"
        }


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    require(PROMETHEUS)
    with ExitStack() as stack:
        yield Scene(tmp_path, stack)


def test_a_probe_of_each_target_is_scraped_and_alerts_fire_and_resolve(scene: Scene) -> None:
    prometheus = scene.prometheus
    good, busy = f"sip:{scene.good.address}", f"sip:{scene.busy.address}"

    def value(name: str, instance: str) -> list[float] | str:
        return prometheus.values(f'{name}{{job="sipswarm-probe",module="options",instance="{instance}"}}')

    def account() -> str:
        return f"{prometheus.get('query', query='probe_success')}, firing {scene.firing()}"

    wait_until(lambda: value("probe_success", good) == [1], SECONDS, account)
    wait_until(lambda: value("probe_failed_due_to_code", busy) == [1], SECONDS, account)
    wait_until(lambda: value("probe_failed_due_to_timeout", scene.dead) == [1], SECONDS, account)
    assert value("probe_sip_status_code", busy) == [503]
    failed = "SipswarmProbeFailed"
    wait_until(lambda: {(failed, busy), (failed, scene.dead)} <= scene.firing(), SECONDS, account)
    assert (failed, good) not in scene.firing()
    row = [each for each in panels() if "probe" in each.expression]
    assert len(row) == 3

    def without_value() -> list[str]:
        return [each.where for each in row if not prometheus.values(filled_in(each.expression))]

    wait_until(lambda: not without_value(), SECONDS, lambda: f"without a value: {without_value()}")
    scene.recover()
    wait_until(lambda: value("probe_success", busy) == [1], SECONDS, account)
    wait_until(lambda: (failed, busy) not in scene.firing(), SECONDS, account)
    assert (failed, scene.dead) in scene.firing()
