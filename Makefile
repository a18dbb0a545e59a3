# make demo   watch a release run on this machine
# make test   every test
# make faults every fault in every state of a release (about an hour); the matrix is in build/faults/matrix.txt
# make check  lint, types, tests
# make synth  the CloudFormation templates, into cdk.out
# make findings  docs/findings.md, from the catalogue of what is looked for on blue
# make lock   resolve requirements.in again
# make bench-switchover   how long clients cannot write, against a floor (5 minutes)
# make bench-scaling      whether that grows with the database (half an hour, 25 GB of disk)
# make bench-coldstart    how long the import of each handler takes, and how much functions carry (2 minutes)
# make bench-verify       how fast two databases are proven equal, against a floor and peers (5 minutes)

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: findings demo test faults check lint types synth lock clean bench-switchover bench-scaling bench-verify bench-coldstart

demo: .venv/.done
	python -m local demo --yes

test: .venv/.done
	python -m pytest

faults: .venv/.done
	python -m pytest tests/faults --whole --dist=worksteal --verbosity=1 --show-capture=no

lint: .venv/.done
	ruff check .
	ruff format --check .

types: .venv/.done
	mypy

check: lint types test

synth: .venv/.done
	python app.py

findings: .venv/.done
	python -m local.findings > docs/findings.md

lock: .venv/.done
	pip install --quiet uv
	uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-annotate --quiet --upgrade \
	    --custom-compile-command 'make lock' requirements.in --output-file requirements.lock

bench-switchover: .venv/.done
	python -m benchmarks switchover

bench-scaling: .venv/.done
	python -m benchmarks switchover --scaling --runs 3 --output build/bench/scaling.json

bench-verify: .venv/.done
	python -m benchmarks verify

bench-coldstart: .venv/.done
	python -m benchmarks coldstart

clean:
	rm -rf .venv build cdk.out

.venv/.done: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up .venv (about a minute, once)"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@
