# Two commands do everything on a machine with python3 >= 3.11 and make:
#   make demo   installs, then runs the whole journey on the embedded model
#   make test   installs, then runs the tests
# and one is for every night:
#   make nightly   artifacts that were changed (other ones each night), and kills at random moments

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

MUTANTS ?= 100000
NIGHT := $(shell date -u +%Y%m%d)

.PHONY: demo test lint nightly clean

demo: $(STAMP)
	$(BIN)/langprog demo

test: $(STAMP)
	$(BIN)/python -m pytest -q

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

nightly: $(STAMP)
	$(BIN)/python -m benchmarks.fuzz_artifacts --night --seed $(NIGHT) --mutants $(MUTANTS)
	$(BIN)/python -m benchmarks.kills

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "langprog needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(STAMP)

clean:
	rm -rf $(VENV) langprog-demo build dist
