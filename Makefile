# jaxlab: `make run CONFIG=configs/gan_mnist.py` and `make test` are all that a newcomer needs.
# Every target sets up .venv when it is missing or out of date (pyproject.toml, constraints.txt).

CONFIG ?=
ARGS ?=
EXTRAS ?= test
VENV := .venv
PY := $(VENV)/bin/python
PIP = $(PY) -m pip install -qq --disable-pip-version-check --constraint constraints.txt

# The newest supported Python that starts and can make a virtual environment.
SUPPORTED := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)

# A .venv whose Python is gone (moved or upgraded) is set up again.
BROKEN := $(shell $(PY) -c '$(SUPPORTED)' 2>/dev/null || echo broken)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup run named list test parity smoke lint mutants bench notebooks clean distclean always

help:
	@echo 'make run CONFIG=configs/gan_mnist.py [ARGS="--config.replicas=5 --data_dir=DIR"]   one experiment'
	@echo 'make list                     every experiment: aim, data set, published value'
	@echo 'make test [ARGS=...]          all tests that need no PyTorch (ARGS go to pytest)'
	@echo 'make parity                   the tests against PyTorch'
	@echo 'make smoke [ARGS=NAME ...]    the smoke profile of every config, through the command line'
	@echo 'make lint                     ruff, import-linter, mypy'
	@echo 'make mutants ARGS=jaxlab/metrics   small faults planted in a part: how many do its tests notice?'
	@echo 'make bench [ARGS=--json=FILE] whole training steps against Flax and PyTorch'
	@echo 'make notebooks                executes the notebooks'
	@echo 'make setup [EXTRAS="test cuda"]  only the set-up; extras: test lint parity mutants notebooks tfds-prepare cuda tpu'
	@echo 'make clean | distclean        removes caches | and .venv; runs/ stays'

# ---- set-up ----------------------------------------------------------------------------------------------------------
$(VENV)/.ready-base: pyproject.toml constraints.txt $(if $(BROKEN),always)
	@test -n '$(PYTHON)' || { echo 'make: Python 3.11, 3.12 or 3.13 is needed and none was found;' \
		'name one: make setup PYTHON=FILE' >&2; exit 2; }
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { echo 'make: $(PYTHON) cannot be used:' \
		'Python 3.11, 3.12 or 3.13 with venv and pip is needed' >&2; exit 2; }
	@$(PY) -c '$(SUPPORTED)' 2>/dev/null || { echo 'setting up $(VENV) (once, some minutes)'; \
		$(PYTHON) -m venv --clear $(VENV); }
	@$(PIP) --editable .
	@touch $@

$(VENV)/.ready-%: $(VENV)/.ready-base
	@$(PIP) --editable '.[$*]'
	@touch $@

setup: $(VENV)/.ready-base $(EXTRAS:%=$(VENV)/.ready-%)
	@$(PY) --version

# ---- use -------------------------------------------------------------------------------------------------------------
run: named $(VENV)/.ready-base
	@$(PY) -m launch --config=$(CONFIG) $(ARGS)

named:
	@test -n '$(CONFIG)' || { echo 'make: which experiment? make run CONFIG=configs/gan_mnist.py;' \
		'make list shows them all' >&2; exit 2; }

list: $(VENV)/.ready-base
	@$(PY) -m launch --list $(ARGS)

# ---- checks ----------------------------------------------------------------------------------------------------------
test: $(VENV)/.ready-test
	@$(PY) -m pytest -m 'not parity' $(ARGS)

parity: $(VENV)/.ready-test $(VENV)/.ready-parity
	@$(PY) -m pytest -m parity $(ARGS)

smoke: $(VENV)/.ready-base
	@$(PY) -m launch.smoke $(ARGS)

IMPORTS = $(PY) -c 'from importlinter.cli import lint_imports_command as main; main()' --cache-dir .cache/import-linter
lint: $(VENV)/.ready-lint
	@failed=; \
	echo 'ruff'; $(PY) -m ruff check --quiet --output-format concise . || failed="$$failed ruff"; \
	echo 'import-linter'; $(IMPORTS) || failed="$$failed import-linter"; \
	echo 'mypy'; $(PY) -m mypy || failed="$$failed mypy"; \
	test -z "$$failed" || { echo "lint failed:$$failed" >&2; exit 1; }

mutants: $(VENV)/.ready-test $(VENV)/.ready-mutants
	@$(PY) -m tests.mutants $(ARGS)

bench: $(VENV)/.ready-parity
	@$(PY) -m benchmarks.train_step $(ARGS)

notebooks: $(VENV)/.ready-notebooks
	@$(PY) notebooks/execute.py $(ARGS)

clean:
	@rm -rf .cache .hypothesis .pytest_cache .ruff_cache .mypy_cache .import_linter_cache build dist *.egg-info
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	@rm -rf $(VENV)
