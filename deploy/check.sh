#!/usr/bin/env bash
# The gate. Stops at the first step that fails. `deploy/check.sh lint` leaves the tests out.
# PYTHON names the interpreter that has the dev extra; the default is .venv/bin/python.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

python=${PYTHON:-.venv/bin/python}
if ! "$python" -c 'import coverage, mypy, pytest' 2> /dev/null; then
  echo "$python lacks the dev extra; run: make test" >&2
  exit 1
fi

step() { # heading, command…: its time, and the end of everything when it fails
  local heading=$1 began=$SECONDS status
  shift
  printf '\n== %s\n' "$heading"
  "$@"
  status=$?
  printf '   %d s\n' $((SECONDS - began))
  if [ $status != 0 ]; then
    printf '\ngate failed at: %s\n' "$heading"
    exit $status
  fi
}

# The measurement more than doubles the processor time of a test. So it is of the tests that call our code, and of some of
# those that start our processes, which are measured too; the other tests have nothing to add. tests/test_architecture.py
# has a step of its own.
pytest=(pytest -q -m "not slow" --durations=25)
measured=("$python" -m coverage run --rcfile=deploy/coverage.ini -m "${pytest[@]}")
plain=("$python" -m "${pytest[@]}")
counted=(tests/actors tests/media tests/sipcore tests/test_architecture_page.py tests/test_[!a]*.py tests/e2e/test_[p-r]*.py)
beside_it=(tests/e2e/test_[a-o]*.py tests/e2e/test_[t-z]*.py)
rest=(tests --ignore=tests/actors --ignore=tests/media --ignore=tests/sipcore --ignore-glob="tests/test_*.py"
  --ignore-glob="tests/e2e/test_[!s]*.py")

# Tests of our processes wait most of their time. As root on Linux the tests run in three parts at once, two of them in
# networks of their own, because they would else take each other's ports. A shell's background commands ignore Ctrl-C,
# which they must not.
tests() {
  local status=0 number beside=()
  if ! unshare --net ip link set lo up 2> /dev/null; then
    "${measured[@]}" "${counted[@]}" && "${plain[@]}" "${beside_it[@]}" && "${plain[@]}" "${rest[@]}"
    return
  fi
  echo "the tests that are measured and a part of tests/e2e run beside the others; their output comes last"
  apart 1 "${measured[@]}" "${counted[@]}"
  apart 2 "${plain[@]}" "${beside_it[@]}"
  trap 'kill -INT "${beside[@]}"; wait "${beside[@]}"; exit 130' INT TERM
  "${plain[@]}" "${rest[@]}" || status=$?
  for number in "${beside[@]}"; do wait "$number" || status=$?; done
  trap - INT TERM
  cat "$scratch"/apart-?.log
  return "$status"
}

apart() { # number, command…: adds the process to `beside`
  unshare --net env --default-signal=INT,QUIT sh -c 'ip link set lo up && exec "$@"' sh \
    "${@:2}" > "$scratch/apart-$1.log" 2>&1 &
  beside+=($!)
}

covered() { # folder, least percentage
  "$python" -m coverage report --rcfile=deploy/coverage.ini --include="$1/*" --fail-under="$2" --precision=1 \
    --skip-covered --show-missing
}

# Named, because ruff would else format the examples in prose too.
sources=(sipswarm actors sipcore media tests)
if [ -n "$(git ls-files 'examples/*.py' 2> /dev/null)" ]; then sources+=(examples); fi

step "format" "$python" -m ruff format --check "${sources[@]}"
step "lint" "$python" -m ruff check "${sources[@]}"
step "types" "$python" -m mypy --strict
step "architecture" "$python" -m pytest -q tests/test_architecture.py
step "files of deploy/" env PYTHON="$python" deploy/validate.sh
if [ "${1:-}" = lint ]; then
  echo "gate passed: format, lint, types, architecture, deploy"
  exit 0
fi

# Absolute, because processes of the tests run in other folders.
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
export COVERAGE_FILE=$scratch/coverage
# The tests start thousands of processes, and half of a start is compiling: what is compiled is kept, but not in the checkout.
export PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$scratch/compiled

step "tests" tests
step "coverage data" "$python" -m coverage combine --rcfile=deploy/coverage.ini -q
step "coverage of sipcore, at least 95 %" covered sipcore 95
step "coverage of media, at least 95 %" covered media 95
step "coverage of actors, at least 85 %" covered actors 85
printf '\ngate passed in %d s\n' "$SECONDS"
