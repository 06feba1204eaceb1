# Everything here keeps its environment in .venv and sets itself up; a second run installs nothing.
#
#   make demo           the whole thing on a real Kafka, with the telemetry in examples/ (KEEP=1, KAFKA=host:port)
#   make test           lint, then every test, the Kafka ones against a real broker (PROCESSES=3, PYTEST='-k replay -x')
#   make test-watch     only dashboards, alerts, reports and deployment (installs prometheus, prometheus-alertmanager, chromium where it may)
#   make lint           ruff, mypy, import contracts
#   make fuzz           hostile input for every reader of bytes (MINUTES=10, TARGETS='config state')
#   make hunt           property tests on examples that no run has tried yet (MINUTES=10, PYTEST='tests/carried')
#   make audit-dependencies  pinned versions and allowed ranges against known holes, offline
#   make chaos          workers killed over and over, the outcome compared (KILLS=100 SEED=n RECORDS=100000 BROKERS=1|3|both JSON=file)
#   make chaos-mutants  wrong workers, each of which that comparison must catch (MUTANTS='skip-snapshot ...')
#   make soak           a steady load for hours: memory, lag, a kill now and then (MINUTES=30 JSON=file)
#   make quality        how well faults are found on labelled series (DATA=folder SCORER='command' SEEDS=0,1,2 OUT=quality)
#   make sbom           dist/sbom.json, what an installation consists of (SBOM_EXTRAS='keras-cpu broker', OFFLINE=1)
#   make setup          only the environment
#   make constraints    pin the newest allowed versions in constraints.txt (needs a look and a test run afterwards)
#   make clean          remove what the above left behind, except .venv

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The interpreter that creates .venv: the first one of a tested version, else whatever python3 is (its version is checked below).
TESTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(or $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c '$(TESTED)' 2>/dev/null && echo $$p && break; done),python3)
EXTRAS := keras-cpu,broker,plot,dashboard,dev
RUN := .venv/bin/python
PIP := $(RUN) -m pip --quiet --disable-pip-version-check --no-input
STAMP := .venv/installed

# Quiet libraries: TensorFlow's C++ notices say nothing about this project.
export TF_CPP_MIN_LOG_LEVEL ?= 2

# What is compiled once is kept. Without that each process of the tests would compile all of them, and each command that they start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup lint test test-watch fuzz hunt audit-dependencies sbom demo chaos chaos-mutants soak quality constraints clean

help:
	@sed -n 's/^#   //p' Makefile

setup: $(STAMP)
	@echo "Ready: .venv/bin/detector --help"

# Depends on what decides the installed packages, so that it runs again when, and only when, that changes. The stamp is written
# last: an installation that was cut short starts over.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $$($(PYTHON) --version) is too old; name Python 3.11 or newer: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Setting up .venv with $$($(PYTHON) --version) (2 GB; the first time this takes minutes, mostly downloads) ..."
	@[ -x $(RUN) ] && $(RUN) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@$(PIP) install -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

lint: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	.venv/bin/lint-imports
	$(RUN) -m security.audit_dependencies

audit-dependencies: $(STAMP)
	$(RUN) -m security.audit_dependencies

# OFFLINE leaves out the hashes, which the package index is asked for.
sbom: $(STAMP)
	@$(RUN) -m security.sbom $(addprefix --extra ,$(SBOM_EXTRAS)) $(if $(OFFLINE),--no-hashes) -o dist/sbom.json

# PYTEST takes further arguments: make test PYTEST='-k replay -x'. The tests are spread over PROCESSES, each with a broker of its
# own and one thread for numbers, since they share the cores; 0 runs them in this one (PYTEST='--pdb' needs that).
PROCESSES ?= 3
test: export OMP_NUM_THREADS ?= 1
test: export TF_NUM_INTRAOP_THREADS ?= 1
test: lint
	@tests/watch/install-tools
	$(RUN) -m pytest -n $(PROCESSES) --dist worksteal $(PYTEST)

# The tests of dashboards, alerts, reports and deployment, without the others.
test-watch: export OMP_NUM_THREADS ?= 1
test-watch: export TF_NUM_INTRAOP_THREADS ?= 1
test-watch: $(STAMP)
	@tests/watch/install-tools
	$(RUN) -m pytest -n $(PROCESSES) --dist worksteal tests/watch tests/deploy tests/dashboard tests/reports tests/pages tests/pictures \
	  tests/stretches tests/openmetrics tests/cli/test_inspect.py $(PYTEST)

MINUTES ?= 10
fuzz: $(STAMP)
	@$(PIP) install -c constraints.txt -e '.[fuzz]' || echo "atheris does not install here; hypothesis does the work" >&2
	$(RUN) -m tests.fuzz $(MINUTES) $(TARGETS)

# `make test` tries the same examples each time. What this finds belongs into the test that it broke, as an example of its own.
hunt: $(STAMP)
	@end=$$(( $$(date +%s) + 60 * $(MINUTES) )); round=0; while (( $$(date +%s) < end )); do round=$$(( round + 1 )); echo "round $$round"; \
	  $(RUN) -m pytest -n $(PROCESSES) -q -m hypothesis --hypothesis-profile hunt $(or $(PYTEST),tests); done

demo: $(STAMP)
	@$(RUN) examples/demo.py $(if $(KEEP),--keep) $(if $(KAFKA),--kafka $(KAFKA))

KILLS ?= 100
RECORDS ?= 100000
BROKERS ?= both
chaos: $(STAMP)
	@$(RUN) -m tests.chaos --kills $(KILLS) --records $(RECORDS) --brokers $(BROKERS) $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json $(JSON))

chaos-mutants: $(STAMP)
	@$(RUN) -m tests.chaos.scenarios $(MUTANTS)

soak: $(STAMP)
	@$(RUN) -m tests.chaos.soak --minutes $(if $(findstring command,$(origin MINUTES)),$(MINUTES),30) $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json $(JSON))

SEEDS ?= 0,1,2
OUT ?= quality
quality: $(STAMP)
	@[ -n "$(DATA)" ] && [ -n "$(SCORER)" ] || { echo "error: say where the labelled series are, and what scores them: make quality DATA=folder SCORER='python score.py'" >&2; exit 2; }
	@$(RUN) -m benchmarks.quality "$(DATA)" --scorer "$(SCORER)" --seeds "$(SEEDS)" --out "$(OUT)"

# A throw-away environment without constraints shows what the newest allowed versions are. setuptools and wheel are named because
# older Pythons bring their own; tensorflow because the extras keras and keras-cpu share its version.
constraints:
	@room=$$(mktemp -d) && trap 'rm -rf "$$room"' EXIT && $(PYTHON) -m venv "$$room/venv" \
	  && "$$room/venv/bin/python" -m pip --quiet --disable-pip-version-check install --upgrade '.[$(EXTRAS),fuzz]' setuptools wheel \
	  && "$$room/venv/bin/python" -m pip freeze --all --exclude pip --exclude reconstream >"$$room/frozen" \
	  && { sed -n '/^#/p' constraints.txt; { cat "$$room/frozen"; sed -n 's/^tensorflow_cpu==/tensorflow==/p' "$$room/frozen"; } | sort -f; } \
	     >"$$room/constraints.txt" \
	  && cp "$$room/constraints.txt" constraints.txt && git --no-pager diff --stat -- constraints.txt

clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist .demo .fuzz
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
