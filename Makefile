# make demo   installs the runtime (no torch) into .venv and plays the bundled sample
# make test   installs training and test tools as well and runs every test
# make check  ruff (lint and format) and mypy
# make format repairs what ruff can
# make clean  removes what the others have made
#
# PYTHON=python3.12 make ... chooses the interpreter .venv is made with.

PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet
DEMO_OUT ?= demo

.DEFAULT_GOAL := help
.PHONY: help demo test check format clean

help:
	@sed -n '/^# make\|^# PYTHON/s/^# //p' Makefile

demo: $(VENV)/.runtime
	@$(VENV)/bin/crodino demo --out $(DEMO_OUT)

test: $(VENV)/.train
	@$(VENV)/bin/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.check
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

format: $(VENV)/.check
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

clean:
	rm -rf $(VENV) $(DEMO_OUT) build install log *.egg-info

# One stamp for each set of requirements: a repeated call installs nothing.
$(VENV)/.runtime: setup.py package.xml | $(VENV)/bin/python
	@echo 'Installing the runtime into $(VENV) (once, about a minute)'
	@$(PIP) --editable .
	@touch $@

$(VENV)/.check: $(VENV)/.runtime
	@echo 'Installing the test tools into $(VENV)'
	@$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.train: $(VENV)/.check
	@echo 'Installing torch and the training tools into $(VENV) (once, several minutes)'
	@$(PIP) --editable '.[test,train,data]'
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
	  echo 'Python 3.10 or newer is needed; $(PYTHON) is' \
	    "$$(command -v $(PYTHON) >/dev/null && $(PYTHON) --version 2>&1 || echo not there)." \
	    'Name another one: make PYTHON=python3.12 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments (Debian and Ubuntu ship that apart)." \
	    'Install it with: sudo apt install python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
