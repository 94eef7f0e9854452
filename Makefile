# One command for each thing. `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3
BED ?= inventories/lab.yaml
VENV := .venv
RUN := $(VENV)/bin/python
PYTEST := $(VENV)/bin/pytest
SIDE_BY_SIDE := $(shell echo $$((2 * $$(nproc))))# tests wait half of their time
UV := $(VENV)/bin/uv pip compile -q pyproject.toml --generate-hashes --no-emit-index-url --no-emit-find-links \
      --custom-compile-command "make lock" --python-version 3.11

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

gate: install  ## bring the lab up where the bed is a lab bed, run every check, write reports/, print GO or NO-GO
	$(PYTEST) -n auto suites/ --bed $(BED)

test: install  ## the tests of plumbline itself
	@[ "$$(id -u)" != 0 ] || $(RUN) -m lab build  # which takes longer than any test may
	$(PYTEST) -n $(SIDE_BY_SIDE) --dist loadfile tests/ --ignore tests/lab --ignore tests/load
	@# they measure time: one that fails beside another one is run again by itself, and that counts
	$(PYTEST) -n $(SIDE_BY_SIDE) --dist loadfile tests/load || $(PYTEST) --last-failed --last-failed-no-failures none tests/load
	$(PYTEST) tests/lab  # one at a time: they share the machine's network

up: install  ## bring the lab up
	$(RUN) -m lab up --bed $(BED)

down: install  ## take the lab down and leave nothing behind
	$(RUN) -m lab down --bed $(BED)

torture: install  ## kill runners of faults at random moments, and see that all is undone
	$(RUN) -m chaos torture --times 50

soak: install  ## random experiments for two hours, and what they leave behind
	$(RUN) -m chaos soak --bed $(BED)

prove: install  ## break the bed in every way it knows, and tell which checks turn red and which never do
	$(RUN) -m chaos prove --bed $(BED)

PLAN ?= chaos/gamedays/first.yaml
gameday: install  ## run a plan of experiments in front of a screen, and write reports/gameday.html
	$(RUN) -m chaos gameday $(PLAN) --bed $(BED)

bench: install  ## measure speed and memory, each with minimum, median and maximum
	$(RUN) -m lab.bench --bed $(BED)

bench-load: install  ## load generators side by side on one path: wrk, h2load, ab, k6, Locust and ours
	$(RUN) -m lab.bench.load --build

lint: install  ## ruff and mypy
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy

docs: install  ## write docs/checks.md, docs/actions.md and the JSON schemas anew
	$(RUN) -m plumbline.bed schema > inventories/bed.schema.json
	$(RUN) -m plumbline.catalogue
	$(RUN) -m chaos.proof.report
	$(RUN) -m chaos.reference

lock: install  ## pin the dependencies of pyproject.toml anew, with hashes
	$(UV) -o requirements/gate.txt
	$(UV) --extra lab -o requirements/lab.txt
	$(UV) --extra lab --extra chaos --extra load --extra dev -o requirements/dev.txt
	$(UV) --all-extras -o requirements/all.txt
	$(UV:pyproject.toml=requirements/load.in) -c requirements/all.txt -o requirements/load.txt

install: $(VENV)/.installed  ## the Debian packages and the Python environment

$(VENV)/.installed: requirements/dev.txt lab/host-packages.txt
	@missing=$$(grep -v '^#' lab/host-packages.txt | xargs -n1 sh -c 'dpkg-query -W -f "\$${Status}" "$$0" 2>/dev/null | grep -q "ok installed" || echo "$$0"'); \
	if [ -n "$$missing" ]; then \
	  echo "installing Debian packages:" $$missing; \
	  if [ "$$(id -u)" != 0 ]; then echo "not root: run 'apt-get install" $$missing"' as root first, or 'make' as root" >&2; exit 2; fi; \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; \
	fi
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --no-compile --require-hashes -r requirements/dev.txt
	# `chaos run` and `chaos discover` are programs of the environment: they find the extension by this line
	echo "$(CURDIR)" > "$$($(RUN) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/plumbline.pth"
	touch $@

.PHONY: help gate test up down torture soak prove gameday bench bench-load lint docs lock install
