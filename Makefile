# Everything a person types: make run, make test. Each installs what is missing first and says so.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=
# One more than there are cores, because many tests wait for processes and clocks; a file's tests stay together.
# A test process that dies ends the run with the test's name: with another in its place xdist waits for ever.
AT_ONCE := --max-worker-restart=0 -n $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 ))) --dist loadfile --no-loadscope-reorder
# Twelve workers under two hundred faults, and a loop that may not stall meanwhile: nothing else beside it.
ALONE := tests/faults/test_children.py

.PHONY: run test coverage bench lint setup system clean
.DEFAULT_GOAL := run

run: setup
	$(BIN)/paddock $(ARGS)

test: setup lint
	$(BIN)/pytest $(AT_ONCE) $(if $(ARGS),,--ignore=$(ALONE)) $(ARGS)
	$(if $(ARGS),,$(BIN)/pytest $(ALONE))

# What the tests run through; it takes half as long again, so it is not part of every check.
coverage: setup
	$(BIN)/coverage erase
	$(BIN)/pytest $(AT_ONCE) --ignore=tests/faults --cov --cov-report= $(ARGS)
	$(BIN)/coverage report --format=total | xargs -I{} echo "coverage: {} %"

# Peers are measured beside us in one run; they live in an environment of their own.
bench: setup
	@test -x .peers/bin/python || { $(PYTHON) -m venv .peers && .peers/bin/pip install -q vnpy==4.5.0 nautilus_trader==1.221.0 pyee==13.0.1 talipp==2.7.0 supervisor==4.3.0 circus==0.19.0; } || rm -rf .peers
	PADDOCK_PEERS=$$(test -x .peers/bin/python && echo .peers/bin/python) $(BIN)/python -m tests.benchmarks

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: system $(STAMP)

# System libraries for Qt and the test display, through apt where there is one.
system:
	@scripts/system-packages

$(STAMP): pyproject.toml constraints.txt
	@echo "paddock: installing Python packages into $(VENV) (first time: a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	-@$(BIN)/python -m engine.market.precompile
	@touch $@

clean:
	rm -rf $(VENV) .peers .mypy_cache .ruff_cache .pytest_cache .coverage* build *.egg-info
