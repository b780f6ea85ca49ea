# `make` alone lists the commands.
.DEFAULT_GOAL := help
.PHONY: help up test test-fast test-python coverage bench soak demo-aws lint format hooks docs protos fuzz supply screenshots clean

UV = $(shell tools/prepare uv)
RUN = $(UV) run --frozen --no-sync

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up:  ## install what is needed, start everything on loopback, train the first model if there is none; Ctrl-C ends it
	@tools/prepare up --inexact
	@exec .venv/bin/workbench up

test:  ## install what the tests need and run all of them
	@tools/prepare test
	@$(RUN) pytest -n auto --dist loadgroup --no-loadscope-reorder

test-fast:  ## the tests that need no service, browser or TensorFlow: a minute and a half on two cores
	@tools/prepare test
	@$(RUN) pytest -n auto --dist loadgroup --no-loadscope-reorder --fast

test-python:  ## the tests on another Python, in an environment of its own: PY=3.12 TESTS="tests/jobs tests/node"
	@tools/test-python $(or $(PY),3.12) $(TESTS)

coverage:  ## run the tests with every process measured: TESTS=tests/jobs; a report in build/coverage
	@tools/coverage $(TESTS)

bench:  ## measure against peers: prints ratios, writes benchmarks/results.json
	@tools/prepare test
	@$(RUN) python -m benchmarks

soak:  ## shake a whole workbench for MINUTES=5: load, kill -9, a full disk; prints what held (SEED=1)
	@tools/prepare test
	@$(RUN) python -m tests.soak --minutes $(or $(MINUTES),5) --seed $(or $(SEED),1)

demo-aws:  ## the dashboard and the commands with AWS emulated on this computer: no account, no cost; Ctrl-C ends it
	@tools/prepare up --inexact --extra dev
	@exec .venv/bin/python -m tests.emulator demo

lint:  ## format, lint and type check, as the tests do
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) python tools/check_notebooks.py
	@$(RUN) python -m workbench.application.template | $(RUN) cfn-lint

format:  ## bring the code into the format that `make lint` wants
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

hooks:  ## check what each commit changes before it is made (.pre-commit-config.yaml)
	@$(RUN) pre-commit install

docs:  ## the documentation as a site in build/docs/html, with a reference made from the code; links are checked
	@tools/prepare test
	@$(RUN) python tools/site/build.py

protos:  ## compile backend/tfserving/protos/*.proto to the modules beside them
	@$(RUN) python tools/compile_protos.py

fuzz:  ## feed every reader INPUTS damaged inputs (50000), and MADE of other programs' pictures, models and notebooks (5000)
	@$(RUN) python -W ignore -m tests.fuzz --inputs $(or $(INPUTS),50000) --made $(or $(MADE),5000)

supply:  ## licences and known vulnerabilities of what users install, and an SBOM in build/
	@tools/prepare up --inexact
	@$(RUN) python tools/supply_chain.py

screenshots:  ## every page in every state, into build/screenshots; those of the docs anew (ONLY="cluster-job dashboard": some)
	@$(RUN) python -m tests.screenshots build/screenshots $(ONLY)
	@$(if $(ONLY),true,$(RUN) python -m tests.screenshots.chosen docs/pictures)

clean:  ## end what runs and remove what can be made again; models and data stay
	@if [ -x .venv/bin/workbench ]; then .venv/bin/workbench down; fi
	@rm -rf .venv .tools build .pytest_cache .mypy_cache .ruff_cache .hypothesis
