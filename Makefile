# Two commands do everything on a machine with python3 >= 3.11 and make:
#   make demo   installs, then runs the whole journey on the embedded model
#   make test   installs, then runs the tests
# and one is for every night:
#   make nightly   artifacts that were changed (other ones each night), kills at random moments,
#                  and the examples in DSPy

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
DEVELOPING := $(VENV)/installed-dev
WRITING := $(VENV)/installed-docs
PIP := -m pip install --quiet --disable-pip-version-check

WORKERS ?= auto
MUTANTS ?= 100000
NIGHT := $(shell date -u +%Y%m%d)

.PHONY: demo test lint docs package nightly clean

demo: $(INSTALLED)
	$(BIN)/langprog demo

test: $(DEVELOPING)
	$(BIN)/python -m pytest -q --ignore=tests/house --ignore=tests/typing -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# tests/house holds rules for the tree: layers, sizes, words; tests/typing what checkers find.
lint: $(DEVELOPING)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/house tests/typing

# The site of the guides, in build/site; a warning is an error.
docs: $(WRITING)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Wheel and sdist, each installed into an empty environment and run there.
package: $(DEVELOPING)
	rm -rf build dist
	$(BIN)/python -m build --outdir dist
	for archive in dist/*.whl dist/*.tar.gz; do \
		rm -rf build/empty && $(PYTHON) -m venv build/empty && \
		build/empty/bin/python $(PIP) $$archive && \
		(cd build && empty/bin/langprog --version && empty/bin/python ../tests/installed.py) \
		|| exit 1; \
	done

nightly: $(DEVELOPING)
	$(BIN)/python -m benchmarks.fuzz_artifacts --night --seed $(NIGHT) --mutants $(MUTANTS)
	$(BIN)/python -m benchmarks.kills
	DSPY_PYTHON=$(BIN)/python $(BIN)/python -m pytest -q tests/examples/test_dspy.py

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "langprog needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) -e .
	@touch $(INSTALLED)

$(DEVELOPING): $(INSTALLED)
	$(BIN)/python $(PIP) -e '.[dev]'
	@touch $(DEVELOPING)

$(WRITING): $(INSTALLED)
	$(BIN)/python $(PIP) -e '.[docs]'
	@touch $(WRITING)

clean:
	rm -rf $(VENV) langprog-demo build dist
