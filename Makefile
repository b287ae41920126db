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
on = $(filter-out 0 no off false,$($1))
given = $(if $(filter command,$(origin $1)),$($1))
FOLDER = $(or $(ARTICLE),report/mse_tanh)
in_folder = $(shell test ! -f $(call path,$(FOLDER)/$1) || echo yes)
from_folder = $(if $(call in_folder,$2),$(call option,$1,$(FOLDER)/$2))
VERBOSE = $(if $(call on,DEBUG),--debug)
NO_ARTICLE = $(error $(FOLDER): no article.md there. ARTICLE names a folder with article.md, claims.toml and optionally study.toml, prose/, view.py and figures.py)
CHECKED = $(if $(call in_folder,article.md),,$(NO_ARTICLE))
STUDIED = $(CHECKED)$(call from_folder,study,study.toml) $(VERBOSE)
DRAWN = $(STUDIED) $(call from_folder,figures,figures.py)
READ = $(CHECKED)$(call option,article,$(ARTICLE)) $(VERBOSE)
STILL = $(if $(filter 0 no,$(LIVE)),--no-live)
PUBLISHED = $(READ) $(call option,url,$(SITE_URL)) $(STILL)
QUICKLY = $(if $(call on,QUICK),--quick)
TRAINED = $(QUICKLY) $(call option,only,$(ONLY)) $(call option,jobs,$(JOBS)) $(call option,cluster,$(CLUSTER))

.DEFAULT_GOAL := help
.PHONY: help report first-page experiments plots record render claims verify compare publish mnist status why cluster worker serve test test-all test-rest coverage golden picture screenshots audit check bench clean clean-all lock FORCE
.DELETE_ON_ERROR:
unexport PYTHONPATH PYTHONHOME PYTHONOPTIMIZE PYTHONSAFEPATH PYTHONDONTWRITEBYTECODE VIRTUAL_ENV
unexport PYTHONINSPECT PYTHONEXECUTABLE PYTHONPLATLIBDIR
ifeq ($(wildcard requirements/install.py),)
$(error This is not the project's folder. Name it: make -C path/to/project TARGET)
endif
# Names in the environment may be meant for other programs: they stop only the recipes that use them.
ifneq ($(call given,STUDY)$(call given,CLAIMS),)
$(error STUDY and CLAIMS are gone. An article is one folder with article.md, claims.toml and optionally study.toml: make report ARTICLE=folder)
endif
ifneq ($(call given,ARTICLE),)
$(CHECKED)
endif

help: ## Show this help
	@echo "Usage: make TARGET [MNIST_NPZ=path/to/mnist.npz] [FASHION_NPZ=path/to/fashion_mnist.npz] [DATASET_NPZ=path/to/other.npz] [JOBS=2] [ONLY=block,…] [QUICK=1] [LIVE=0] [SITE_URL=https://…] [DEBUG=1]"
	@echo "       make report CLUSTER=tcp://host:port   to train on the workers of a Dask cluster"
	@echo "       make report ARTICLE=folder   to check another article: article.md, claims.toml and optionally study.toml, prose/, view.py, figures.py"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

report: first-page $(TRAIN_LAYER) $(if $(CLUSTER),$(CLUSTER_LAYER)) ## Train what is missing, measure, draw, and write site/index.html
	@$(PY) -m report study $(TRAINED) $(PUBLISHED)

first-page: $(PAGE_LAYER)
	@test -f experiments/results/results.json || $(PY) -m report first $(TRAINED) $(PUBLISHED)

experiments: $(TRAIN_LAYER) $(if $(CLUSTER),$(CLUSTER_LAYER)) ## Train and measure what is missing
	@$(PY) -m experiments run $(STUDIED) $(TRAINED)

plots: $(PAGE_LAYER) ## Update statistics and plots from the measured runs
	@$(PY) -m experiments plots $(QUICKLY) $(DRAWN)

record: $(PAGE_LAYER) ## Write experiments/record.json and the README's results from a complete study on MNIST
	@$(PY) -m experiments record $(STUDIED) $(QUICKLY)
	@$(PY) -m report robustness $(VERBOSE)
	@$(PY) -m report networks $(VERBOSE)
	@$(PY) -m report readme $(VERBOSE)

render: $(PAGE_LAYER) ## Write site/ from the measured runs, or from the record if there are none
	@$(PY) -m experiments stand-in $(DRAWN)
	@$(PY) -m report render $(PUBLISHED)

claims: $(PAGE_LAYER) ## Print the verdict on each claim and the numbers behind it
	@$(PY) -m experiments stand-in $(DRAWN)
	@$(PY) -m report claims $(READ)

verify: $(PAGE_LAYER) ## Derive a page again from the evidence in it, and compare (PAGE=file.html)
	@$(PY) -m report verify $(READ) $(call option,seconds,$(PATIENCE)) $(call path,$(or $(PAGE),site/index.html)) || \
	  { status=$$?; [ $$status -eq 3 ] || exit $$status; } # 3: saved by a browser, and verified

compare: $(PAGE_LAYER) ## List changed verdicts and moved effects (A=old.html B=new.html, or results.json; ALL=1; FORMAT=markdown: of two sites)
	@$(PY) -m report compare $(READ) $(call option,format,$(call given,FORMAT)) $(if $(call on,ALL),--all) $(if $(A),$(call path,$(A))) $(if $(B),$(call path,$(B)))

publish: $(PAGE_LAYER) ## Show what publishing site/ to the branch gh-pages would change; PUSH=1 does it (REMOTE=origin, INTO=folder)
	@$(PY) -m report publish $(READ) $(call option,remote,$(REMOTE)) $(call option,into,$(INTO)) $(if $(call on,MOVED),--moved) $(if $(call on,PUSH),--push)

mnist: $(TRAIN_LAYER) ## Download MNIST and Fashion-MNIST through Keras, unless named or cached
	@$(PY) -m experiments mnist $(VERBOSE)

status: $(PAGE_LAYER) ## List which runs are measured and which are missing
	@$(PY) -m experiments status $(STUDIED) $(QUICKLY)

why: $(PAGE_LAYER) ## Say why each run is fresh, stale or missing (NAME=arm, a block, or 'arm, seed')
	@$(PY) -m experiments why $(if $(call given,NAME),$(call quoted,$(NAME))) $(STUDIED) $(QUICKLY)

cluster: $(CLUSTER_LAYER) ## Start a Dask cluster on 127.0.0.1, for trying out CLUSTER= (JOBS=2 workers, PORT=…)
	@$(PY) -m experiments.training.cluster $(call option,workers,$(JOBS)) $(call option,port,$(call given,PORT))

worker: $(CLUSTER_LAYER) ## Join a Dask cluster with JOBS workers (CLUSTER=tcp://host:port)
	@$(PY) -m distributed.cli.dask_worker --nthreads 1 --nworkers $(call quoted,$(or $(JOBS),1)) $(call quoted,$(CLUSTER))

serve: $(PAGE_LAYER) ## Serve site/ at http://127.0.0.1:8000 (PORT=…)
	@$(PY) -m report serve --port=$(call quoted,$(PORT)) $(VERBOSE)

test: $(DEV_LAYER) ## Run the tests, in minutes (ARGS=tests/test_x.py, ARGS=--durations=20)
	@$(PYTEST) -m 'not slow' $(ARGS)

test-all: $(DEV_LAYER) ## Run the slow tests too, and repeat the randomised ones more often
	@FULL=1 $(PYTEST) $(ARGS)

test-rest: $(DEV_LAYER) ## Run only what test-all adds to test
	@FULL=1 $(PYTEST) -m slow $(ARGS)

coverage: $(DEV_LAYER) ## Run all tests, including slow ones, and report uncovered lines (ARGS=tests/test_x.py)
	@$(PYTEST) --cov --cov-report=term-missing:skip-covered $(ARGS)

golden: $(DEV_LAYER) ## Renew tests/golden.html, the page that the tests expect
	@RENEW_GOLDEN=1 $(PY) -m pytest tests/page/test_golden.py
	@git --no-pager diff --stat tests/golden.html

picture: $(DEV_LAYER) ## Renew docs/page.webp, the README's picture of the page, from the record
	@$(PY) -m tests.picture

screenshots: $(DEV_LAYER) ## Take pictures of the page into screenshots/: light, dark, narrow, printed, …
	@$(MAKE) --no-print-directory render
	@$(PY) -m tests.screenshots

audit: $(DEV_LAYER) ## Check the page with the Nu HTML checker and Lighthouse, and its files for programs (needs Node and Java too)
	@$(PY) -m tests.audit install
	@$(MAKE) --no-print-directory render
	@$(PY) -m tests.audit

check: $(DEV_LAYER) ## Check style, format, types, workflows and known vulnerabilities
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(PY) -m check_jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(PY) -m tests.advisories

bench: $(DEV_LAYER) ## Compare training speed and page size with other tools (WHAT=training, page, cluster, scale, robustness or live)
	@$(if $(filter-out page training cluster scale robustness live,$(WHAT)),echo $(call quoted,error: WHAT is '$(WHAT)'. Expected page or training or cluster or scale or robustness or live.) >&2; exit 2)
	@for what in $(or $(WHAT),page training); do $(PY) -m tests.bench_$$what || exit; done

clean: ## Remove page, plots and statistics, but keep all trained runs
	@find site/ -mindepth 1 ! -name .gitkeep -delete
	@rm -rf screenshots experiments/results/plots experiments/results/results.json experiments/results/live.json experiments/results/robustness.json .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find experiments report tests -name __pycache__ -type d -prune -exec rm -rf {} +

clean-all: clean ## Also remove the trained runs and the installed packages
	@rm -rf $(VENV) node_modules
	@find experiments/results/ -mindepth 1 ! -name .gitkeep -delete

LOCK = $(VENV)/bin/uv pip compile -q --universal --generate-hashes $(if $(call on,UPGRADE),--upgrade)
lock: $(DEV_LAYER) ## Renew the locks in requirements/ from pyproject.toml (UPGRADE=1 takes the newest versions)
	@$(LOCK) --group uv -o requirements/uv.txt
	@$(LOCK) --group audit -o requirements/audit.txt
	@$(LOCK) --extra train --extra cluster --extra dev pyproject.toml -o requirements/dev.txt
	@$(LOCK) -c requirements/dev.txt --extra train --extra cluster pyproject.toml -o requirements/cluster.txt
	@$(LOCK) -c requirements/dev.txt --extra train pyproject.toml -o requirements/train.txt
	@$(LOCK) -c requirements/dev.txt pyproject.toml -o requirements/page.txt

# ---------------------------------------------------------------------------------------------- the environment
# It has layers, because a page needs no TensorFlow. requirements/install.py does the work; a layer's stamp is newer than its lock.

PYTHONS = $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
ifneq ($(shell $(PY) -I -c 'import pip; print(1)' 2>/dev/null),1) # if Python was upgraded or removed, rebuild the layers
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
