# Two commands do everything on a machine with python3 >= 3.11 and make:
#   make demo   installs, then runs the whole journey on the embedded model
#   make test   installs, then runs the tests
# and one is for every night:
#   make nightly   artifacts that were changed (other ones each night), kills at random moments,
#                  the examples in DSPy, and each extra alone

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
DEVELOPING := $(VENV)/installed-dev
EMPTY := build/empty/bin/python
PIP := -m pip install --quiet --disable-pip-version-check

WORKERS ?= auto
MUTANTS ?= 100000
NIGHT := $(shell date -u +%Y%m%d)

.PHONY: demo test lint docs package extras stranger nightly clean

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
docs: $(DEVELOPING)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Wheels and sdists of langprog and of the weights (langprog-pocket), and their sizes. In an empty
# environment: langprog alone, then with the weights, then built from the sdists.
package: $(DEVELOPING)
	rm -rf build dist
	$(BIN)/python -m build --no-isolation --outdir dist langprog_pocket
	$(BIN)/python -m build --no-isolation --outdir dist
	ls -l dist
	$(PYTHON) -m venv build/empty
	$(EMPTY) $(PIP) --no-compile dist/langprog-*.whl
	cd build && ../$(EMPTY) ../tests/installed.py core
	$(EMPTY) $(PIP) --no-compile --no-index --find-links dist 'langprog[pocket]'
	cd build && ../$(EMPTY) ../tests/installed.py pocket
	$(EMPTY) $(PIP) --no-compile --no-deps --force-reinstall dist/*.tar.gz
	cd build && empty/bin/langprog --version && ../$(EMPTY) ../tests/installed.py pocket

# Each extra alone, beside langprog: do its packages exist in versions that go together? Those for
# developers are installed above.
extras: package
	for extra in $$($(EMPTY) -c 'from importlib.metadata import metadata as of; \
			print(*of("langprog").get_all("Provides-Extra"))'); do \
		case $$extra in dev|docs) continue;; esac; \
		echo "langprog[$$extra]" && \
		$(EMPTY) $(PIP) --dry-run --find-links dist "langprog[$$extra]" || exit 1; \
	done

# The way of somebody who has never seen this: clone, demo, own data, an artifact served; timed.
stranger:
	$(PYTHON) tests/stranger.py

nightly: $(DEVELOPING) extras
	$(BIN)/python -m benchmarks.fuzz_artifacts --night --seed $(NIGHT) --mutants $(MUTANTS)
	$(BIN)/python -m benchmarks.kills
	DSPY_PYTHON=$(BIN)/python $(BIN)/python -m pytest -q tests/examples/test_dspy.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "langprog needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)

# Not compiled: most of what comes along is never imported, and the rest compiles then.
$(INSTALLED): pyproject.toml | $(BIN)/python
	$(BIN)/python $(PIP) --no-compile -e .
	@touch $(INSTALLED)

$(DEVELOPING): pyproject.toml | $(BIN)/python
	$(BIN)/python $(PIP) --no-compile -e '.[dev,docs]'
	@touch $(INSTALLED) $(DEVELOPING)

clean:
	rm -rf $(VENV) langprog-demo build dist
