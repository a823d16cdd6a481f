"""deploy/validate.sh says what is wrong: a copy of deploy/ in which every file has a mistake passes in nothing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .queries import DEPLOY

MISTAKES = [
    ("prometheus/prometheus.yml", "scrape_interval: 5s", "scrape_intervall: 5s"),
    ("prometheus/rules.yml", "> 0.05\n        for: 1m", "> 0.5\n        for: 1m"),
    (
        "prometheus/rules.yml",
        "- alert: SipswarmNodeDown\n        expr: up",
        "- alert: SipswarmNodeDown\n        expr: (up",
    ),
    ("prometheus/probe.toml", "expect-media = true", "expects-media = true"),
    ("systemd/sipswarm@.service", "NoNewPrivileges=yes", "NoNewPrivilege=yes"),
    ("systemd/sipswarm@.service", "ProtectSystem=strict", "ProtectSystem=no"),
    ("systemd/sipswarm@.service", "DynamicUser=yes", "User=root"),
    ("systemd/sipswarm@.service", "SystemCallFilter=@system-service", "SystemCallFilter="),
    ("sysctl.conf", "fs.nr_open = 1048576", "fs.nr_open = plenty"),
    ("limits.conf", "hard    nofile", "hard    nofiles"),
    ("compose.yaml", "restart: unless-stopped", "restarts: unless-stopped"),
    ("Dockerfile", "USER 10001:10001", "USER root"),
    ("Dockerfile", "WORKDIR /results", "WORKDIR results"),
    ("kubernetes/job.yaml", "backoffLimit: 0", "backOffLimit: 0"),
    ("kubernetes/kustomization.yaml", "resources:", "resource:"),
    ("kubernetes/podmonitor.yaml", "scrapeTimeout: 4s", "scrapeTimeout: four"),
    ("kubernetes/namespace.yaml", "  name: sipswarm", "  name:  sipswarm"),
    ("grafana/provisioning/dashboards/sipswarm.yml", "path: /etc", "paths: /etc"),
    ("grafana/provisioning/datasources/prometheus.yml", "url: http://", "url: "),
    ("grafana/dashboards/sipswarm.json", "{", "{,"),
]
"""file, what stands in it, the mistake"""


def test_a_mistake_in_every_file_is_found_by_every_check(tmp_path: Path) -> None:
    copy = tmp_path / "deploy"
    shutil.copytree(DEPLOY, copy)
    for name, right, wrong in MISTAKES:
        text = (copy / name).read_text()
        assert right in text, f"{name} has no {right!r} any more"
        (copy / name).write_text(text.replace(right, wrong))
    touched = {name for name, _, _ in MISTAKES}
    # configmap.yaml is checked with job.yaml in one run, rules_test.yml with the rules; schemas are what checks.
    shell = re.compile(r".*\.(sh|ini)$|schemas/.*|.*ignore$|kubernetes/configmap\.yaml$|prometheus/rules_test\.yml$")
    files = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert {name for name in files if not shell.match(name)} == touched

    done = subprocess.run(
        [copy / "validate.sh"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.findall(r"^ok .*", done.stdout, re.MULTILINE) == [], done.stdout
    assert "validation failed" in done.stderr


def test_without_a_tool_it_says_which_and_how_to_get_it_and_fails_only_in_ci(tmp_path: Path) -> None:
    for program in ("bash", "dirname", "mktemp", "rm", "grep", "sed"):
        found = shutil.which(program)
        assert found is not None
        (tmp_path / program).symlink_to(found)
    # An interpreter that has no tool beside it.
    (tmp_path / "python").symlink_to(sys.executable)
    for ci, code in (("", 0), ("true", 1)):
        done = subprocess.run(
            [shutil.which("bash") or "bash", DEPLOY / "validate.sh"],
            env={"PATH": str(tmp_path), "PYTHON": str(tmp_path / "python"), "CI": ci},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        left_out = dict(re.findall(r"^left out  (\S+) is missing; (.+)$", done.stdout, re.MULTILINE))
        assert set(left_out) == {
            "promtool",
            "sipswarm",
            "systemd-analyze",
            "yamllint",
            "hadolint",
            "check-jsonschema",
            "kubernetes-validate",
        }
        assert "make peers" in left_out["promtool"]
        assert "[dev]" in left_out["hadolint"]
