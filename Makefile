# The user's interface. `make` alone prints help. Both `make report` and `make test` set up what they need.

SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
PAGE_LAYER := $(VENV)/.page
TRAIN_LAYER := $(VENV)/.train
CLUSTER_LAYER := $(VENV)/.cluster
DEV_LAYER := $(VENV)/.dev
PYTEST := $(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder
PORT ?= 8000
quoted = '$(subst ','\'',$1)'
option = $(if $2,--$1=$(call quoted,$2))
path = $(call quoted,$(if $(filter -%,$(firstword $1)),./)$1)
STUDIED = $(call option,study,$(STUDY)) $(if $(DEBUG),--debug)
SMALL = $(STUDIED) $(if $(QUICK),--quick)
READ = $(STUDIED) $(call option,article,$(ARTICLE)) $(call option,claims,$(CLAIMS))
PUBLISHED = $(READ) $(call option,url,$(SITE_URL))
OPTIONS = $(SMALL) $(call option,only,$(ONLY)) $(call option,jobs,$(JOBS)) $(call option,cluster,$(CLUSTER))

.DEFAULT_GOAL := help
.PHONY: help report first-page experiments plots record render claims verify compare publish mnist status why cluster worker serve test test-all test-rest coverage golden picture screenshots audit check bench clean clean-all lock FORCE
.DELETE_ON_ERROR:
unexport PYTHONPATH PYTHONHOME PYTHONOPTIMIZE PYTHONSAFEPATH PYTHONDONTWRITEBYTECODE VIRTUAL_ENV
unexport PYTHONINSPECT PYTHONEXECUTABLE PYTHONPLATLIBDIR
ifeq ($(wildcard requirements/install.py),)
$(error Expected to run in the project's folder, which this is not. Name it: make -C path/to/project TARGET)
endif

help: ## Show this help
	@echo "Usage: make TARGET [MNIST_NPZ=path/to/mnist.npz] [DATASET_NPZ=path/to/other.npz] [JOBS=2] [ONLY=block,…] [QUICK=1] [SITE_URL=https://…] [DEBUG=1]"
	@echo "       make report CLUSTER=tcp://host:port   to train on the workers of a Dask cluster"
	@echo "       make report ARTICLE=article.md CLAIMS=claims.toml STUDY=study.toml   to check another article"
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

report: first-page $(TRAIN_LAYER) $(if $(CLUSTER),$(CLUSTER_LAYER)) ## Train what is missing, measure, draw, and write site/index.html
	@$(PY) -m report study $(OPTIONS) $(PUBLISHED)

first-page: $(PAGE_LAYER)
	@test -f experiments/results/results.json || $(PY) -m report first $(PUBLISHED)

experiments: $(TRAIN_LAYER) $(if $(CLUSTER),$(CLUSTER_LAYER)) ## Train and measure what is missing
	@$(PY) -m experiments run $(OPTIONS)

plots: $(PAGE_LAYER) ## Bring statistics and plots up to date with what is measured
	@$(PY) -m experiments plots $(SMALL)

record: $(PAGE_LAYER) ## Write experiments/record.json, and what the README says, from a complete study on MNIST
	@$(PY) -m experiments record $(SMALL)
	@$(PY) -m report readme

render: $(PAGE_LAYER) ## Write site/ from what is measured, or from the record where nothing is
	@$(PY) -m experiments stand-in $(STUDIED)
	@$(PY) -m report render $(PUBLISHED)

claims: $(PAGE_LAYER) ## Print the verdict on each claim, and what decided it
	@$(PY) -m experiments stand-in $(STUDIED)
	@$(PY) -m report claims $(READ)

verify: $(PAGE_LAYER) ## Derive a shared page again from the evidence in it, and compare (PAGE=file.html)
	@$(PY) -m report verify $(READ) $(call option,seconds,$(PATIENCE)) $(call path,$(or $(PAGE),site/index.html)) || \
	  { status=$$?; [ $$status -eq 3 ] || exit $$status; } # 3: saved by a browser, and verified

compare: $(PAGE_LAYER) ## Tell which verdicts turned and which effects moved (A=old.html B=new.html, or results.json; ALL=1)
	@$(PY) -m report compare $(READ) $(if $(filter 1,$(ALL)),--all) $(if $(A),$(call path,$(A))) $(if $(B),$(call path,$(B)))

publish: $(PAGE_LAYER) ## Tell what publishing site/ on the branch gh-pages would change; do it with PUSH=1 (REMOTE=origin)
	@$(PY) -m report publish $(call option,remote,$(REMOTE)) $(if $(filter 1,$(PUSH)),--push) $(if $(DEBUG),--debug)

mnist: $(TRAIN_LAYER) ## Have Keras download MNIST, if it is neither named nor cached
	@$(PY) -m experiments mnist

status: $(PAGE_LAYER) ## Say which runs are measured, which are missing
	@$(PY) -m experiments status $(STUDIED)

why: $(PAGE_LAYER) ## Say why each run is fresh, stale or missing (NAME=arm, a block, or 'arm, seed')
	@$(PY) -m experiments why $(if $(NAME),$(call quoted,$(NAME))) $(SMALL)

cluster: $(CLUSTER_LAYER) ## Start a Dask cluster on 127.0.0.1, to try CLUSTER= with (JOBS=2 workers)
	@$(PY) -m experiments.training.cluster $(call option,workers,$(JOBS))

worker: $(CLUSTER_LAYER) ## Join a Dask cluster with JOBS workers (CLUSTER=tcp://host:port)
	@$(PY) -m distributed.cli.dask_worker --nthreads 1 --nworkers $(call quoted,$(or $(JOBS),1)) $(call quoted,$(CLUSTER))

serve: $(PAGE_LAYER) ## Show site/ at http://127.0.0.1:8000 (PORT=…)
	@$(PY) -m report serve --port=$(call quoted,$(PORT))

test: $(DEV_LAYER) ## Run the tests, in minutes (ARGS=tests/test_x.py, ARGS=--durations=20)
	@$(PYTEST) -m 'not slow' $(ARGS)

test-all: $(DEV_LAYER) ## Run the slow tests too, and repeat the random ones more often
	@FULL=1 $(PYTEST) $(ARGS)

test-rest: $(DEV_LAYER) ## Run what test-all runs beyond test
	@FULL=1 $(PYTEST) -m slow $(ARGS)

coverage: $(DEV_LAYER) ## Run the tests, slow ones too, and report the lines that they miss (ARGS=tests/test_x.py)
	@$(PYTEST) --cov --cov-report=term-missing:skip-covered $(ARGS)

golden: $(DEV_LAYER) ## Write tests/golden.html, the page that the tests expect, anew
	@RENEW_GOLDEN=1 $(PY) -m pytest tests/test_golden.py
	@git --no-pager diff --stat tests/golden.html

picture: $(DEV_LAYER) ## Take docs/page.webp anew, the README's picture of the page, from the record
	@$(PY) -m tests.picture

screenshots: $(DEV_LAYER) ## Take pictures of the page in every way that it is read, into screenshots/
	@$(MAKE) --no-print-directory render
	@$(PY) -m tests.screenshots

audit: $(DEV_LAYER) ## Hold the page against the Nu HTML checker and Lighthouse (needs Node and Java too)
	@$(PY) -m tests.audit install
	@$(MAKE) --no-print-directory render
	@$(PY) -m tests.audit

check: $(DEV_LAYER) ## Lint, check the format, the types and the workflows, ask for known vulnerabilities
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(PY) -m check_jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(PY) -m tests.advisories

bench: $(DEV_LAYER) ## Measure the training's speed and the page's size, each beside others (WHAT=training, page, cluster or scale)
	@$(if $(filter-out page training cluster scale,$(WHAT)),echo "error: WHAT is '$(WHAT)'. Expected page or training or cluster or scale." >&2; exit 2)
	@for what in $(or $(WHAT),page training); do $(PY) -m tests.bench_$$what || exit; done

clean: ## Remove the page, the plots and the statistics; keep every run that was trained
	@find site -mindepth 1 ! -name .gitkeep -delete
	@rm -rf screenshots experiments/results/plots experiments/results/results.json .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find experiments report tests -name __pycache__ -type d -prune -exec rm -rf {} +

clean-all: clean ## Remove the trained runs and what was installed too
	@rm -rf $(VENV) node_modules
	@find experiments/results -mindepth 1 ! -name .gitkeep -delete

LOCK = $(VENV)/bin/uv pip compile -q --universal --generate-hashes $(if $(UPGRADE),--upgrade)
lock: $(DEV_LAYER) ## Make the locks in requirements/ again from pyproject.toml (UPGRADE=1 takes the newest versions)
	@$(LOCK) --group uv -o requirements/uv.txt
	@$(LOCK) --extra train --extra cluster --extra dev pyproject.toml -o requirements/dev.txt
	@$(LOCK) -c requirements/dev.txt --extra train --extra cluster pyproject.toml -o requirements/cluster.txt
	@$(LOCK) -c requirements/dev.txt --extra train pyproject.toml -o requirements/train.txt
	@$(LOCK) -c requirements/dev.txt pyproject.toml -o requirements/page.txt

# ---------------------------------------------------------------------------------------------- the environment
# In layers, since a page needs no TensorFlow. requirements/install.py does the work; a layer's stamp is younger than its lock.

PYTHONS = $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
ifneq ($(shell $(PY) -I -c 'import pip; print(1)' 2>/dev/null),1) # it was upgraded or removed: so are the layers
$(PAGE_LAYER) $(TRAIN_LAYER) $(CLUSTER_LAYER) $(DEV_LAYER): FORCE
endif
FORCE:
.NOTPARALLEL: # the work within each recipe is parallel

SUITABLE = import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))

$(PAGE_LAYER) $(TRAIN_LAYER) $(CLUSTER_LAYER) $(DEV_LAYER): $(VENV)/.%: requirements/%.txt requirements/uv.txt requirements/install.py
	@for python in $(PYTHONS); do \
	  if "$$python" -I -c '$(SUITABLE)' 2>/dev/null; then exec "$$python" -I requirements/install.py $*; fi; \
	done; \
	echo "error: no Python 3.11, 3.12 or 3.13 found (looked for: $(PYTHONS)). Install one (Debian, Ubuntu: sudo apt-get install python3 python3-venv; macOS: brew install python@3.13), or name it: make PYTHON=path/to/python3.12" >&2; exit 2
