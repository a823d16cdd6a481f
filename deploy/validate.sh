#!/usr/bin/env bash
# Every file of this folder through the tools of those who will read it; a step of the gate, and a command of its own.
# Any finding fails. The tools come with the dev extra (of the interpreter that PYTHON names, by default .venv's) and
# from `make peers`. One that is missing is named with the way to get it and left out; with CI=true that fails too.
set -uo pipefail
cd "$(dirname "$0")" || exit 1

case ${PYTHON:=.venv/bin/python} in
  /*) python=$PYTHON ;;
  */*) python=$PWD/../$PYTHON ;; # relative to the root of the repository, as in check.sh
  *) python=$(command -v "$PYTHON" || echo "$PYTHON") ;;
esac
# Not by resolving links: an environment's python is one, to an interpreter that knows none of its tools.
bin=$(dirname "$python")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
left_out=0

check() { # heading, command…: what it writes is shown when it fails
  local heading=$1
  shift
  if "$@" > "$work/output" 2>&1; then
    printf 'ok        %s\n' "$heading"
  else
    printf 'FAILED    %s\n' "$heading"
    sed 's/^/          /' "$work/output"
    failed=1
  fi
}

have() { # program, where it comes from
  if command -v "$1" > /dev/null; then return 0; fi
  printf 'left out  %s is missing; %s\n' "${1##*/}" "$2"
  left_out=1
  return 1
}
peers="run: make peers (as root)"
extra="it is in the dev extra; run: $PYTHON -m pip install -e '.[dev]'"

silent() { # command…: fails on any word, because some tools warn and return 0
  local words
  words=$("$@" 2>&1) || { printf '%s\n' "$words"; return 1; }
  [ -z "$words" ] || { printf '%s\n' "$words"; return 1; }
}

# ---- Prometheus
if have promtool "$peers"; then
  check "promtool: configuration" promtool check config prometheus/prometheus.yml
  check "promtool: rules" promtool check rules --lint=all --lint-fatal prometheus/rules.yml
  check "promtool: every alert fires, and does not" promtool test rules prometheus/rules_test.yml
fi

# ---- modules of probes
if have "$bin/sipswarm" "run: make install"; then
  check "probe.toml" "$bin/sipswarm" check probe --modules prometheus/probe.toml
fi

# ---- systemd
if have systemd-analyze "$peers"; then
  unit=$work/sipswarm@.service
  # The program need not be installed where the unit is checked.
  sed 's,^\(Exec[A-Za-z]*\)=[^ ]*,\1=/bin/true,' systemd/sipswarm@.service > "$unit"
  check "systemd: unit" silent systemd-analyze verify --man=no "$unit"
  check "systemd: exposure at most 2.0 of 10" systemd-analyze security --offline=true --no-pager --threshold=20 "$unit"
fi

# ---- files of one line per setting
settings() { # file, pattern: every line is empty, a comment or of this form
  ! grep -nvE "^(#.*|$2)?\$" "$1"
}
check "sysctl.conf" settings sysctl.conf '[a-z0-9_-]+(\.[a-z0-9_-]+)+ = [0-9][0-9, ]*'
check "limits.conf" settings limits.conf '@?[a-z]+ +(soft|hard|-) +(nofile|nproc|core|nice) +-?[0-9]+'

# ---- YAML, Dockerfile, compose, Kubernetes, Grafana
if have "$bin/yamllint" "$extra"; then
  rules='{extends: default, rules: {document-start: disable, line-length: {max: 160}, comments-indentation: disable,
    braces: {max-spaces-inside: 0}, truthy: {check-keys: false}}}'
  check "yamllint" "$bin/yamllint" --strict --config-data "$rules" .
fi
if have "$bin/hadolint" "$extra"; then
  check "Dockerfile" "$bin/hadolint" --failure-threshold style Dockerfile
fi
if have "$bin/check-jsonschema" "$extra"; then
  check "compose.yaml" "$bin/check-jsonschema" --builtin-schema vendor.compose-spec compose.yaml
  # What Kubernetes itself does not define. These schemas know the keys that we use and no others.
  for kind in kustomization podmonitor; do
    check "kubernetes/$kind.yaml" "$bin/check-jsonschema" --schemafile "schemas/$kind.json" "kubernetes/$kind.yaml"
  done
  for kind in dashboards datasources; do
    check "grafana: $kind" "$bin/check-jsonschema" --schemafile "schemas/$kind.json" grafana/provisioning/"$kind"/*.yml
  done
fi
if have "$bin/kubernetes-validate" "$extra"; then
  files=()
  for file in kubernetes/*.yaml; do
    case $file in */kustomization.yaml | */podmonitor.yaml) ;; *) files+=("$file") ;; esac
  done
  resources() { # a word beside "passed" is a finding, also where it returns 0
    "$bin/kubernetes-validate" --strict "${files[@]}" > "$work/resources" 2>&1 || { cat "$work/resources"; return 1; }
    ! grep -v " passed for resource " "$work/resources"
  }
  check "kubernetes: resources" resources
fi
check "dashboard is JSON" "$python" -m json.tool grafana/dashboards/sipswarm.json /dev/null

[ $failed = 0 ] || { echo "validation failed" >&2; exit 1; }
if [ $left_out = 1 ] && [ "${CI:-}" = true ]; then
  echo "validation failed: CI=true leaves nothing out" >&2
  exit 1
fi
echo "all files are valid$([ $left_out = 0 ] || echo ', as far as they were looked at')"
