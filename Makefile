# Two commands need nothing but Python 3.11-3.13 and make:   make book   and   make test
PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 8000
NB     ?=

BIN    := $(VENV)/bin
PY     := $(BIN)/python
LOCK   := .ci/requirements.lock
STAMP  := $(VENV)/.installed
INDEX  := _build/html/index.html

# Before torch is imported: an idle OpenMP thread sleeps instead of spinning (up to 20 times faster on two busy cores).
export OMP_WAIT_POLICY := PASSIVE
export PYTHONHASHSEED := 0
export TQDM_DISABLE := 1

.DEFAULT_GOAL := help
.PHONY: help book zip serve test test-full colab lint links notebooks spread bench weights screenshot address lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is %d.%d. Name another one: make PYTHON=python3.12 ..." % v)'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -r $(LOCK)
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

book: $(STAMP) ## build the rendered book and say where it is
	$(BIN)/jupyter-book build -W -n --keep-going .
	@$(PY) -c 'import pathlib; print("\nThe book is at", pathlib.Path("$(INDEX)").resolve().as_uri())'

zip: book ## the rendered book as one file to read without a network: unpack it, open index.html
	@$(PY) -c 'import shutil; print(shutil.make_archive("_build/gans-line-by-line", "zip", "_build", "html"))'

serve: book ## build the book and serve it at http://localhost:8000 (PORT=...)
	$(PY) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

test: lint ## everything a change must pass: style, units, proofs, notebooks, the rendered site
	MPLBACKEND=agg $(PY) -m pytest

test-full: lint ## the same with every mutant of every line and every notebook in an environment like Colab's
	GANLIB_FULL=1 MPLBACKEND=agg $(PY) -m pytest
	$(PY) book/tools/colab_like.py

colab: ## run every notebook in the environment that is there: Colab's own image
	PYTHONPATH=. $(PYTHON) book/tools/colab_like.py --here

lint: $(STAMP) ## ruff, codespell and the rules that notebooks keep to
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(PY) book/tools/rules.py

links: $(STAMP) ## ask every outside link of the book whether it still answers (needs the network)
	$(BIN)/jupyter-book build --builder linkcheck .

notebooks: $(STAMP) ## execute the notebooks that are stale (NB="03 04" for some, NB=--force for all)
	$(PY) book/tools/execute.py $(NB)
	$(PY) book/tools/landing.py

spread: $(STAMP) ## measure the spread of every toleranced number over seeds (NB="03" for one notebook)
	$(PY) book/tools/spread.py $(NB)

bench: $(STAMP) ## a minute of the race, the overhead and the import; FULL=1: every benchmark, stored (hours)
ifdef FULL
	$(PY) tests/benchmarks/bench.py ours
	$(PY) tests/benchmarks/bench.py cost
	$(PY) tests/benchmarks/bench.py race --lanes 2 --seeds 3
	$(PY) tests/benchmarks/bench.py choices --lanes 2 --seeds 2 --marks 25
	$(PY) tests/benchmarks/bench.py objectives --lanes 2 --seeds 5
	$(PY) tests/benchmarks/papers.py parzen
	$(PY) tests/benchmarks/papers.py modes --seeds 3
	$(PY) tests/benchmarks/collapse.py
	$(PY) tests/benchmarks/conditional.py
	$(PY) tests/benchmarks/sensitivity.py
else
	$(PY) tests/benchmarks/bench.py --short
endif

weights: $(STAMP) ## train the shipped generators again from the full MNIST
	$(PY) -m ganlib.shipped gan-mnist
	$(PY) -m ganlib.shipped cgan-mnist

screenshot: $(STAMP) ## photograph the built book for the README
	$(PY) book/tools/screenshot.py

address: $(STAMP) ## write the address in _config.yml into notebooks, badges and links
	$(PY) book/tools/address.py

lock: $(STAMP) ## write the installed versions to .ci/requirements.lock
	$(PY) book/tools/lock.py

clean: ## remove what building and testing leave behind, the environment excepted
	rm -rf _build .pytest_cache .ruff_cache *.egg-info build
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
