PYTHON ?= python3
VENV ?= .venv
LOCK ?= requirements/cpu.txt
DATASET ?= data/ml
OUT ?= runs/frontier
SEEDS ?= 3
JOBS ?= 2
BIN := $(VENV)/bin
FRONTIER = $(BIN)/python benchmarks/frontier.py $(DATASET) --seeds $(SEEDS) --jobs $(JOBS)
STAMP := $(VENV)/.installed-$(subst /,-,$(LOCK))

.PHONY: help setup proto format check test demo serve bench experiments
help:            ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/ —/'
setup: $(STAMP)  ## make .venv and install everything into it (LOCK=requirements/cuda.txt for a GPU)
# torch first and with its own dependencies, the rest exactly as locked: see requirements/cpu.txt
$(STAMP): $(LOCK) pyproject.toml $(wildcard proto/recsys/rpc/v1/*.proto)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $$(grep -E '^(torch|setuptools|numpy)==' $(LOCK))
	$(BIN)/python -m pip install --quiet --no-deps -r $(LOCK)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@
proto: setup     ## generate the gRPC stubs again
	$(BIN)/python proto/build.py
format: setup    ## rewrite code in the house format
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .
check: setup     ## format, lint, types, import contracts
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports
test: check      ## everything CI runs; make test T=tests/store for a part
# A worker needs 1.5 GB: four at most, whatever the machine.
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal $(T)
demo: setup      ## from nothing to ranked news over gRPC, on a simulated world
	$(BIN)/recsys demo
serve: setup     ## the ranking service on the embedded store
	$(BIN)/recsys serve
bench: setup     ## every question of speed or coverage in benchmarks/, one JSON object each
	@for file in $(filter-out benchmarks/frontier.py benchmarks/weighting.py,$(wildcard benchmarks/*.py)); do $(BIN)/python $$file || exit 1; done
experiments: setup  ## quality against leakage, both protocols (DATASET=data/ml OUT=runs/frontier SEEDS=3 JOBS=2)
	$(FRONTIER) $(OUT)/movielens --config movielens --recipe off paper default
	$(FRONTIER) $(OUT)/movielens-random --config movielens-random --recipe off paper default erasure gender-age
