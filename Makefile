# make compare   set up .venv, then run the built-in comparison (ARGS="..." goes to `physnn compare`)
# make test      set up .venv, then run the tests (ARGS="..." goes to pytest)
# make lint      ruff and mypy
# make clean     remove .venv and caches
PYTHON ?= python3
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMEXPR_NUM_THREADS=1

.PHONY: compare test lint clean

compare: $(STAMP)
	$(BIN)/physnn compare $(ARGS)

test: $(STAMP)
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "physnn needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 2; }
	@echo "Setting up $(VENV) with physnn and all its extras (about 1.8 GB, a few minutes) ..."
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all,dev]'
	@touch $@

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
