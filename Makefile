# Everything sets itself up: Python 3.11 or newer and make are all a fresh machine needs (and Go for the lab).
# `make demo` installs the runtime lock only, the other targets the whole one; nothing needs root.

VENV  ?= .venv
PY    := $(VENV)/bin/python
ARGS  ?=
SOAK  ?= 10
STAMP  = $(VENV)/.stamp-$(1)-$(shell cksum < requirements/$(1).txt | cut -d ' ' -f 1)
LOCK  := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help demo test test-lab soak rules-compare bench lab check mutate docs generate format lock dashboards-preview clean

help: ## Show these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

demo: $(call STAMP,runtime) ## Run the exporter on a simulated cluster and Vault (ARGS=--once: print one scrape)
	@$(PY) -m exporter demo $(ARGS)

test: $(call STAMP,dev) ## Run the tests that need nothing but Python (ARGS: for pytest)
	@$(PY) -m pytest -m "not lab" -n 2 --dist loadfile $(ARGS)

test-lab: lab ## Run the tests on real servers (ARGS: for pytest)
	@$(PY) -m pytest tests/lab -m lab -n 3 --dist loadfile $(ARGS)

soak: lab ## Ten minutes of a healthy cluster on real servers, of which no alert may be heard (SOAK=minutes)
	@ESO_SOAK_MINUTES=$(SOAK) $(PY) -m pytest tests/lab/test_alerts_end_to_end.py -k healthy $(ARGS)

rules-compare: $(call STAMP,dev) ## Thirteen incidents through our rules and the usual ones: docs/comparison-alerts.md
	@$(PY) -m alerts.compare --promtool "$$($(PY) -c 'from tests.lab.build import ensure; print(ensure("promtool"))')"

bench: $(call STAMP,dev) ## Measure against kube-state-metrics and a plain exporter (ARGS: parts, --quick, --strict)
	@$(PY) -m benchmarks $(ARGS)

# Go's own installer puts it where PATH often does not look.
lab test-lab soak rules-compare bench: export PATH := $(PATH):/usr/local/go/bin

lab: $(call STAMP,dev) ## Build the real servers that the lab starts (minutes the first time)
	@$(PY) -m tests.lab.build

mutate: $(call STAMP,dev) ## Change the alert rules in every careless way: do their tests notice? (needs promtool)
	@$(PY) -m tests.alerts.mutate $(ARGS)

check: $(call STAMP,dev) ## Check format, lint, types, layers and generated files
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy -p exporter -p tools -p alerts -p dashboards
	@$(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command(["--no-logo"])'
	@$(PY) -m tools.generate --check

docs: $(call STAMP,dev) $(call STAMP,docs) ## Build the documentation into build/site, strictly and without a network (ARGS: for mkdocs)
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict $(ARGS)

generate: $(call STAMP,dev) ## Write the generated files anew
	@$(PY) -m tools.generate

format: $(call STAMP,dev) ## Format the code and mend what the linter can mend
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

lock: ## Pin the dependencies anew (needs uv on the PATH; ARGS=--upgrade: newest versions)
	$(LOCK) $(ARGS) --extra fast pyproject.toml -o requirements/runtime.txt
	$(LOCK) $(ARGS) --extra fast --group dev pyproject.toml -c requirements/runtime.txt -o requirements/dev.txt
	$(LOCK) $(ARGS) --group docs -c requirements/dev.txt -o requirements/docs.txt

dashboards-preview: lab ## Draw the dashboards to docs/pictures, by hand (npm: 480 MB; and chromium)
	@$(PY) -m tests.lab.preview

clean: ## Remove the virtual environment and what the tools left
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# A stamp carries the checksum of its lock file: a changed lock is a new stamp, which installs what changed.
$(VENV)/.stamp-%:
	@sh tools/venv.sh $(VENV) requirements/$(firstword $(subst -, ,$*)).txt
	@touch $@
