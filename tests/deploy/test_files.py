"""The files of deploy/ against each other and against the code: what one names, the other one has."""

import re
import tomllib

import click
import pytest

from sipswarm.actors.cli.answer import answer
from sipswarm.actors.load import health
from sipswarm.version import VERSION

from .queries import DEPLOY, ROOT, rules

KUBERNETES = DEPLOY / "kubernetes"
COMPOSE = (DEPLOY / "compose.yaml").read_text()
JOB = (KUBERNETES / "job.yaml").read_text()
KUSTOMIZATION = (KUBERNETES / "kustomization.yaml").read_text()


def found(pattern: str, text: str) -> list[str]:
    """All that a pattern with one group finds, and at least one."""
    matches: list[str] = re.findall(pattern, text, re.MULTILINE)
    assert matches, pattern
    return matches


def test_the_kustomization_names_exactly_the_files_that_exist() -> None:
    named = found(r"^  - ([a-z]+\.yaml)$", KUSTOMIZATION.partition("\nresources:\n")[2])
    exist = {path.name for path in KUBERNETES.iterdir()} - {"kustomization.yaml"}
    assert len(named) == len(set(named))
    assert set(named) == exist


def test_the_kustomization_changes_the_image_that_the_job_runs_to_this_version() -> None:
    assert found(r"^  - name: (\S+)\n    newTag: ", KUSTOMIZATION) == found(r"^ +image: (\S+)$", JOB)
    assert found(r"^    newTag: (\S+)$", KUSTOMIZATION) == [VERSION]


def test_every_resource_lies_in_the_namespace_that_is_made() -> None:
    (made,) = found(r"^  name: (\S+)$", (KUBERNETES / "namespace.yaml").read_text())
    assert found(r"^namespace: (\S+)$", KUSTOMIZATION) == [made]


def test_the_script_of_the_job_uses_what_the_config_map_gives_and_nothing_else() -> None:
    given = found(r"^  ([A-Z]+): ", (KUBERNETES / "configmap.yaml").read_text())
    own = found(r"^ +- name: ([A-Z_]+)\n", JOB)
    used = set(found(r"\$\(*([A-Z_]+)", JOB)) - {"JOB_COMPLETION_INDEX"}
    assert used == {*given, *own}
    assert found(r"configMapRef:\n +name: (\S+)", JOB) == found(
        r"^  name: (\S+)$", (KUBERNETES / "configmap.yaml").read_text()
    )


def test_the_pod_monitor_selects_the_pods_of_the_job_and_a_port_that_they_have() -> None:
    monitor = (KUBERNETES / "podmonitor.yaml").read_text()
    template = JOB.partition("\n  template:\n")[2].partition("\n    spec:\n")[0]
    selected = found(r"^ {6}(\S+: \S+)$", monitor.partition("matchLabels:\n")[2].partition("\n  pod")[0])
    assert set(selected) <= set(found(r"^ {8}(\S+: \S+)$", template))
    assert set(found(r"^    - port: (\S+)$", monitor)) <= set(found(r"^ {12}- name: (\S+)$", JOB))
    (label,) = found(r"^  jobLabel: (\S+)$", monitor)
    job = dict(line.split(": ") for line in selected)[label]
    assert job in found(r"job_name: (\S+)$", (DEPLOY / "prometheus" / "prometheus.yml").read_text())


def test_the_image_holds_every_package_of_the_project_and_the_ignore_list_lets_it_in() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    parts = {each.removeprefix("sipswarm.").partition(".")[0] for each in project["tool"]["setuptools"]["packages"]}
    packages = {each if (ROOT / each).is_dir() else "sipswarm" for each in parts}
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    copied = found(r"^COPY ([a-z]+) \1$", dockerfile)
    files = found(r"^COPY (\S+ \S+ \S+) \./$", dockerfile)[0].split()
    assert set(copied) == packages
    assert set(found(r"^!(\S+)$", (DEPLOY / "Dockerfile.dockerignore").read_text())) == {*copied, *files}


def test_the_image_has_a_python_that_the_project_takes_and_ends_as_another_user_than_root() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    (image,) = found(r"^ARG PYTHON_IMAGE=python:3\.(\d+)-slim-\w+$", dockerfile)
    assert int(image) >= int(needed.removeprefix(">=3."))
    assert found(r"^FROM (\S+)", dockerfile) == ["${PYTHON_IMAGE}"] * 2
    assert found(r"^USER (\d+):\d+$", dockerfile.rpartition("\nFROM ")[2]) == ["10001"]


def test_what_compose_mounts_exists_and_every_image_has_a_version() -> None:
    mounts = found(r"^ {6}- \./([^:]+):/\S+:ro$", COMPOSE)
    assert [mount for mount in mounts if not (DEPLOY / mount).exists()] == []
    foreign = [image for image in found(r"^ +image: (\S+)$", COMPOSE) if image != "sipswarm"]
    assert [image for image in foreign if not re.search(r":v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?$", image)] == []


def test_prometheus_of_compose_scrapes_the_services_of_compose() -> None:
    address = r"--(?:metrics|serve)=0\.0\.0\.0:(\d+)"
    services = dict(re.findall(rf"^  (\w+):\n(?:    .*\n)*? +- {address}$", COMPOSE, re.MULTILINE))
    targets = found(r"^ +- (\w+:\d+)$", (DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert sorted(targets) == sorted(f"{name}:{port}" for name, port in services.items())


def test_grafana_of_compose_finds_prometheus_and_the_dashboard() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (url,) = found(r"^    url: http://(\S+)$", (provisioning / "datasources" / "prometheus.yml").read_text())
    assert f"\n  {url.partition(':')[0]}:\n" in COMPOSE
    assert f":{url.partition(':')[2]}\n" in COMPOSE
    (path,) = found(r"^      path: (\S+)$", (provisioning / "dashboards" / "sipswarm.yml").read_text())
    assert f"- ./grafana/dashboards:{path}:ro" in COMPOSE
    assert f"DASHBOARD_PATH: {path}/sipswarm.json" in COMPOSE


@pytest.mark.parametrize(
    ("alert", "limit"),
    [
        ("SipswarmGeneratorLate", health.LATENESS_LIMIT),
        ("SipswarmRtpSentLate", health.SEND_LATENESS_LIMIT),
        ("SipswarmEventLoopLag", health.LOOP_LAG_LIMIT),
        ("SipswarmUdpDrops", 0),
    ],
)
def test_an_alert_about_the_generator_has_the_limit_of_exit_code_98(alert: str, limit: float) -> None:
    (rule,) = [rule for rule in rules() if rule.where == alert]
    assert float(rule.expression.rpartition(" > ")[2]) == limit
    if limit:
        assert f"histogram_quantile({1 - health.TOLERATED}, " in rule.expression


def test_a_gap_in_the_statistics_is_an_alert_from_the_length_on_that_is_exit_code_98() -> None:
    (rule,) = [rule for rule in rules() if rule.where == "SipswarmStatisticsGap"]
    a_second = 2
    assert float(rule.expression.rpartition(" > ")[2]) == health.LONGEST_GAP * a_second - 1


def default_of(option: str) -> str:
    """What `sipswarm answer` takes when an option is not given, as text."""
    return str(next(each for each in answer.params if each.name == option).get_default(click.Context(answer)))


def test_the_kernel_hands_out_no_port_that_is_for_rtp_or_listened_on() -> None:
    sysctl = (DEPLOY / "sysctl.conf").read_text()
    (low,) = found(r"^net\.ipv4\.ip_local_port_range = (\d+) \d+$", sysctl)
    last_rtcp = int(default_of("rtp_ports").rpartition("-")[2]) + 1
    assert last_rtcp < int(low)
    (reserved,) = found(r"^net\.ipv4\.ip_local_reserved_ports = ([\d,]+)$", sysctl)
    assert {"5060", "5061", "5070", "9464"} <= set(reserved.split(","))


def test_every_place_allows_as_many_open_files_as_the_kernel() -> None:
    (most,) = found(r"^fs\.nr_open = (\d+)$", (DEPLOY / "sysctl.conf").read_text())
    assert found(r"^@sipswarm +hard +nofile +(\d+)$", (DEPLOY / "limits.conf").read_text()) == [most]
    assert found(r"^LimitNOFILE=(\d+)$", (DEPLOY / "systemd" / "sipswarm@.service").read_text()) == [most]
    assert found(r"^    nofile: (\d+)$", COMPOSE) == [most]
    assert f"--ulimit nofile={most}" in (ROOT / "docs" / "deploying.md").read_text()
