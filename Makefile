# Everything there is to type. `make` alone prints the list.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench peers interop-full faults clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed ## the whole product on loopback: an answering node, a load node, a verdict
	@$(BIN)/sipswarm demo

test: $(VENV)/.installed-dev ## the gate: format, lint, types, architecture, tests, coverage (with CI=true as root: peers first)
	@if [ "$$CI" = true ] && [ "$$(id -u)" = 0 ]; then deploy/peers.sh; fi
	@PYTHON=$(BIN)/python deploy/check.sh

lint: $(VENV)/.installed-dev ## only format, lint, types and architecture
	@PYTHON=$(BIN)/python deploy/check.sh lint

bench: $(VENV)/.installed-dev ## our figures as ratios to SIPp, Net::SIP and a C program, measured in one run
	@$(BIN)/python -m tests.bench

peers: ## install the programs that the interop tests talk to (Debian, root)
	@deploy/peers.sh

interop-full: $(VENV)/.installed-dev ## the long interop tests and the recipes of the docs, which `make test` leaves out
	@$(BIN)/python -m pytest tests/interop tests/e2e -m slow

faults: $(VENV)/.installed-dev ## every fault of docs/reliability.md done to live nodes, one table and faults.json, 20 minutes
	@$(BIN)/python -m tests.faults --json faults.json

clean: ## remove what tools and runs have written; the environment in .venv stays
	rm -rf build dist faults.json .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* sipswarm-out tests/bench/out *.egg-info
	find . -path ./$(VENV) -prune -o -type d -name __pycache__ -print | xargs -r rm -rf

# ---- the environment

# pip is the last thing a new environment gets, so its presence means a whole one.
$(BIN)/pip:
	@command -v $(PYTHON) > /dev/null || { echo "missing: $(PYTHON). On Debian and Ubuntu: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), sipswarm needs 3.11 or newer; name another with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
		echo "missing: the venv module of $(PYTHON). On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Installed editable: what runs is the checkout, so only a changed pyproject.toml asks for a new installation.
$(VENV)/.installed: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install -q --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $(VENV)/.installed $@
