# The user's interface. `make` alone prints help. Both `make report` and `make test` set up what they need.

SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
RUN := $(VENV)/.run-installed
DEV := $(VENV)/.dev-installed
DASK := $(VENV)/.cluster-installed
PYTEST := $(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder
PORT ?= 8000
STUDIED = $(if $(STUDY),--study '$(STUDY)') $(if $(DEBUG),--debug)
SMALL = $(STUDIED) $(if $(QUICK),--quick)
READ = $(STUDIED) $(if $(ARTICLE),--article '$(ARTICLE)') $(if $(CLAIMS),--claims '$(CLAIMS)')
PUBLISHED = $(READ) $(if $(SITE_URL),--url '$(SITE_URL)')
OPTIONS = $(SMALL) $(if $(ONLY),--only '$(ONLY)') $(if $(JOBS),--jobs '$(JOBS)') $(if $(CLUSTER),--cluster '$(CLUSTER)')

.DEFAULT_GOAL := help
.PHONY: help report experiments plots record render claims verify compare publish status why cluster worker serve test test-all test-rest coverage golden picture screenshots audit check bench clean clean-all lock
.DELETE_ON_ERROR:

help: ## Show this help
	@echo "Usage: make TARGET [MNIST_NPZ=path/to/mnist.npz] [DATASET_NPZ=path/to/other.npz] [JOBS=2] [ONLY=block,…] [QUICK=1] [SITE_URL=https://…] [DEBUG=1]"
	@echo "       make report CLUSTER=tcp://host:port   to train on the workers of a Dask cluster"
	@echo "       make report ARTICLE=article.md CLAIMS=claims.toml STUDY=study.toml   to check another article"
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

report: $(RUN) $(if $(CLUSTER),$(DASK)) ## Train what is missing, measure, draw, and write site/index.html
	@$(PY) -m experiments run plots $(OPTIONS)
	@$(PY) -m report render $(PUBLISHED)

experiments: $(RUN) $(if $(CLUSTER),$(DASK)) ## Train and measure what is missing
	@$(PY) -m experiments run $(OPTIONS)

plots: $(RUN) ## Bring statistics and plots up to date with what is measured
	@$(PY) -m experiments plots $(SMALL)

record: $(RUN) ## Write experiments/record.json, and what the README says, from a complete study on MNIST
	@$(PY) -m experiments record $(SMALL)
	@$(PY) -m report readme

render: $(RUN) ## Write site/ from what is measured, or from the record where nothing is
	@$(PY) -m experiments stand-in $(STUDIED)
	@$(PY) -m report render $(PUBLISHED)

claims: $(RUN) ## Print the verdict on each claim, and what decided it
	@$(PY) -m report claims $(READ)

verify: $(RUN) ## Derive a shared page again from the evidence in it, and compare (PAGE=file.html)
	@$(PY) -m report verify $(READ) '$(or $(PAGE),site/index.html)'

compare: $(RUN) ## Tell which verdicts turned and which effects moved (A=old.html B=new.html, or results.json)
	@$(PY) -m report compare $(READ) '$(A)' '$(B)'

publish: $(RUN) ## Tell what publishing site/ on the branch gh-pages would change; do it with PUSH=1 (REMOTE=origin)
	@$(PY) -m report publish $(if $(REMOTE),--remote '$(REMOTE)') $(if $(filter 1,$(PUSH)),--push) $(if $(DEBUG),--debug)

status: $(RUN) ## Say which runs are measured, which are missing
	@$(PY) -m experiments status $(STUDIED)

why: $(RUN) ## Say why each run is fresh, stale or missing (NAME=arm, a block, or 'arm, seed')
	@$(PY) -m experiments why $(if $(NAME),'$(NAME)') $(SMALL)

cluster: $(DASK) ## Start a Dask cluster on 127.0.0.1, to try CLUSTER= with (JOBS=2 workers)
	@$(PY) -m experiments.cluster $(if $(JOBS),--workers '$(JOBS)')

worker: $(DASK) ## Join a Dask cluster with JOBS workers (CLUSTER=tcp://host:port)
	@$(PY) -m distributed.cli.dask_worker --nthreads 1 --nworkers $(or $(JOBS),1) '$(CLUSTER)'

serve: $(RUN) ## Show site/ at http://127.0.0.1:8000 (PORT=…)
	@$(PY) -m http.server --bind 127.0.0.1 --directory site $(PORT)

test: $(DEV) ## Run the tests, in minutes (ARGS=tests/test_x.py, ARGS=--durations=20)
	@$(PYTEST) -m 'not slow' $(ARGS)

test-all: $(DEV) ## Run the slow tests too, and repeat the random ones more often
	@FULL=1 $(PYTEST) $(ARGS)

test-rest: $(DEV) ## Run what test-all runs beyond test
	@FULL=1 $(PYTEST) -m slow $(ARGS)

coverage: $(DEV) ## Run the tests, slow ones too, and report the lines that they miss (ARGS=tests/test_x.py)
	@$(PYTEST) --cov --cov-report=term-missing:skip-covered $(ARGS)

golden: $(DEV) ## Write tests/golden.html, the page that the tests expect, anew
	@RENEW_GOLDEN=1 $(PY) -m pytest tests/test_golden.py
	@git --no-pager diff --stat tests/golden.html

picture: $(DEV) ## Take docs/page.png anew, the README's picture of the page, from the record
	@$(PY) -m tests.picture

screenshots: $(DEV) ## Take pictures of the page in every way that it is read, into screenshots/
	@$(MAKE) --no-print-directory render
	@$(PY) -m tests.screenshots

audit: $(DEV) ## Hold the page against the Nu HTML checker and Lighthouse (needs Node and Java too)
	@$(PY) -m tests.audit install
	@$(MAKE) --no-print-directory render
	@$(PY) -m tests.audit

check: $(DEV) ## Lint, check the format, the types and the workflows, ask for known vulnerabilities
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(PY) -m check_jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(PY) -m tests.advisories

bench: $(DEV) ## Measure the training's speed and the page's size, each beside others (WHAT=training, page, cluster or scale)
	@$(if $(filter-out page training cluster scale,$(WHAT)),echo "error: WHAT is '$(WHAT)'. Expected page or training or cluster or scale." >&2; exit 2)
	@for what in $(or $(WHAT),page training); do $(PY) -m tests.bench_$$what || exit; done

clean: ## Remove the page, the plots and the statistics; keep every run that was trained
	@find site -mindepth 1 ! -name .gitkeep -delete
	@rm -rf screenshots experiments/results/plots experiments/results/results.json .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find experiments report tests -name __pycache__ -type d -prune -exec rm -rf {} +

clean-all: clean ## Remove the trained runs and what was installed too
	@rm -rf $(VENV) node_modules
	@find experiments/results -mindepth 1 ! -name .gitkeep -delete

lock: $(DEV) ## Make the three locks again from pyproject.toml (UPGRADE=1 takes the newest versions)
	@$(VENV)/bin/uv pip compile -q --universal --generate-hashes $(if $(UPGRADE),--upgrade) pyproject.toml -o requirements.lock
	@$(VENV)/bin/uv pip compile -q --universal --generate-hashes $(if $(UPGRADE),--upgrade) --extra cluster pyproject.toml -o requirements-cluster.lock
	@$(VENV)/bin/uv pip compile -q --universal --generate-hashes $(if $(UPGRADE),--upgrade) --extra cluster --extra dev pyproject.toml -o requirements-dev.lock

# ---------------------------------------------------------------------------------------------- the environment

$(PY):
	@python=; for candidate in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	  if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "error: no Python 3.11, 3.12 or 3.13 found (looked for: $(or $(PYTHON),python3 python3.13 python3.12 python3.11)). Install one (Debian, Ubuntu: sudo apt-get install python3 python3-venv; macOS: brew install python@3.13), or name it: make PYTHON=path/to/python3.12" >&2; exit 2; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "error: this Python cannot make virtual environments. Debian, Ubuntu: sudo apt-get install python3-venv" >&2; exit 2; \
	fi; \
	echo "Setting up $(VENV) with $$("$$python" --version) …"; \
	"$$python" -m venv --clear $(VENV)

$(RUN): requirements.lock | $(PY)
	@echo "Installing what the report needs (about 2 GB, some minutes, once) …"
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r $< || { \
	  echo "error: the installation failed (see above). With the network back, run the same command again." >&2; exit 2; }
	@touch $@

$(DASK): requirements-cluster.lock | $(RUN)
	@echo "Installing what a cluster needs besides …"
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r $< || { \
	  echo "error: the installation failed (see above). With the network back, run the same command again." >&2; exit 2; }
	@touch $@

$(DEV): requirements-dev.lock | $(RUN)
	@echo "Installing what the tests need besides …"
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r $< || { \
	  echo "error: the installation failed (see above). With the network back, run the same command again." >&2; exit 2; }
	@touch $@
