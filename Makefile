# `make demo` and `make test` do all of their own set-up; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SEEDS ?= 10000
FIRST ?= 0
TRIALS ?= 1000
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test check docs bench campaign campaign-real planted format clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml tools/setup.sh
	@sh tools/setup.sh "$(PYTHON)" "$(VENV)"

demo: $(STAMP) ## Profile, map and stream an anomaly detector over an emulated network.
	@sh tools/demo.sh "$(BIN)"

test: $(STAMP) ## Run all tests and checks.
	@$(MAKE) --no-print-directory check
	"$(BIN)/python" -m pytest

check: $(STAMP) ## Check style, types and the import contract.
	"$(BIN)/ruff" format --check --quiet .
	"$(BIN)/ruff" check --quiet .
	"$(BIN)/mypy"
	"$(BIN)/lint-imports"

format: $(STAMP) ## Format the code.
	"$(BIN)/ruff" format .
	"$(BIN)/ruff" check --fix .

campaign: $(STAMP) ## Let streams meet faults: make campaign SEEDS=100000 FIRST=0
	"$(BIN)/python" -m campaign run --seeds $(SEEDS) --first $(FIRST) --results campaign/results.jsonl
	"$(BIN)/python" -m campaign report

campaign-real: $(STAMP) ## Kill, cut and fill up real processes, as root: make campaign-real TRIALS=1000
	"$(BIN)/python" -m campaign.real run --trials $(TRIALS) --first $(FIRST) --jobs $(JOBS) --results campaign/real_results.jsonl
	"$(BIN)/python" -m campaign.real report

planted: $(STAMP) ## Plant every known bug and see that the campaign finds it.
	"$(BIN)/python" -m campaign planted --results campaign/results.jsonl
	"$(BIN)/python" -m campaign report

docs: $(STAMP) ## Write the reference of the command line into docs/.
	"$(BIN)/python" tools/reference.py

bench: $(STAMP) ## Run one benchmark: make bench BENCH=benchmarks/stream.py
	@test -n "$(BENCH)" || { echo 'name one: make bench BENCH=benchmarks/stream.py'; exit 2; }
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --group bench
	"$(BIN)/python" "$(BENCH)"

clean: ## Remove everything that was made here.
	rm -rf "$(VENV)" demo-output .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
