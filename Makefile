# The front door. `make help` lists the targets; everything lives in .venv, nothing else is touched.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
export OMP_WAIT_POLICY ?= PASSIVE
# Processes that run tests, of one thread each: toys are too small to gain from threads. One more than two cores, since many tests wait
# for a browser, a kernel or a process that they have killed.
TEST_WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup demo hypotheses test test-fast check lab notebooks wheel docs benchmarks clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv and install everything (about 3 minutes, 6 GB)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "dfworkbench needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Choose one: make PYTHON=python3.11 setup"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python's venv module is incomplete. On Debian: apt-get install python3-venv"; exit 1; }
	@echo "installing into .venv: about 3 minutes and 6 GB (PyTorch) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: setup  ## generate the demo set and run notebooks 00-04 on it (about 10 minutes)
	@$(BIN)/dfworkbench demo

hypotheses: setup  ## notebook 05 for all three hypotheses, after make demo (about 6 minutes)
	@for n in 1 2 3; do $(BIN)/dfworkbench run 05_hypotheses -p hypothesis $$n --output report/notebooks/05_hypothesis_$$n.ipynb || exit 1; done

lab: setup  ## open JupyterLab on the notebooks
	@$(BIN)/dfworkbench lab

# --no-loadscope-reorder keeps the order of tests/conftest.py: longest files first. Where Python is told to write no bytecode, each
# of the many processes that tests start would compile all our modules again.
test: setup  ## run all tests
	@PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-fast: setup  ## run the tests that take no minutes: no notebooks, no kill tests, no browser
	@PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder -m "not notebook and not slow and not browser" $(PYTEST_ARGS)

check: setup  ## style (ruff), types (pyright), layers (import-linter)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pyright
	@$(BIN)/lint-imports --no-cache

notebooks: setup  ## run every notebook top to bottom in a small setting, in a scratch workspace
	@$(BIN)/python -m pytest tests/notebooks $(PYTEST_ARGS)

wheel: setup  ## build the wheel into dist/
	@$(BIN)/python -m hatchling build -t wheel

# Sphinx writes its working files beside the pages, so these are built in build/ and moved: site/ is whole, or that of before.
docs: setup  ## build the site into site/, with the results of the notebooks that were executed here
	@rm -rf build/docs/html
	@$(BIN)/python -m sphinx --fail-on-warning --quiet -c docs -d build/docs/trees . build/docs/html || { echo "the site has faults, named above; the pages as they are: build/docs/html/index.html"; exit 1; }
	@rm -rf site && mv build/docs/html site
	@echo "the site: site/index.html"

benchmarks: setup  ## run every benchmark and print the ratios
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:  ## remove what runs made: data, crops, tables, checkpoints, reports (asks first)
	@printf 'remove data/ extracted/* labels/* checkpoints/* report/? [y/N] '; read answer; [ "$$answer" = y ] || exit 1
	@rm -rf data report && find extracted labels checkpoints -mindepth 1 ! -name README.md -delete
