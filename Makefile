# make demo   watch a release run on this machine
# make test   every test
# make faults every fault in every state of a release (about an hour); the matrix is in build/faults/matrix.txt
# make check  lint, types, tests, templates, state machines
# make templates  the CloudFormation templates against cfn-lint and cdk-nag
# make asl    the state machines against statelint and asl-validator, which npm installs into build/asl
# make snapshot   renew tests/stacks/snapshots, which shows in review how a template changes
# make permissions  who calls what, and who may: from the last whole run of tests, or from one made for it
# make synth  the CloudFormation templates, into cdk.out
# make bootstrap  an account and Region for the CDK, once: ARGS="aws://123456789012/eu-west-2"
# make diff       what a deployment would change
# make deploy     every database of cdk.json, or CLUSTERS="shop crm"; ARGS goes to cdk; refused while a release runs
# make destroy    the same the other way round; tables and final snapshots stay
# make findings  docs/findings.md, from the catalogue of what is looked for on blue
# make lock   resolve requirements.in again
# make bench-switchover   how long clients cannot write, against a floor (5 minutes)
# make bench-scaling      whether that grows with the database (half an hour, 25 GB of disk)
# make bench-coldstart    how long the import of each handler takes, and how much functions carry (3 minutes)
# make bench-verify       how fast two databases are proven equal, against a floor and peers (5 minutes)

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: bootstrap deploy destroy diff findings demo test faults check lint types templates asl snapshot permissions synth lock clean bench-switchover bench-scaling bench-verify bench-coldstart

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

check: lint types test templates asl

templates: .venv/.done
	python -m pytest -n0 --validators tests/validators

asl: .venv/.done
	@mkdir -p build/asl && cp asl/* build/asl
	@python -m asl ci --prefix build/asl
	@CDK_OUTDIR=build/validated python app.py
	@python -m asl build/asl/check.mjs build/validated/*.template.json

snapshot: .venv/.done
	python -m pytest -n0 tests/stacks/test_snapshot.py --renew

permissions: .venv/.done
	python -m local.permissions

synth: .venv/.done
	python app.py

bootstrap deploy destroy diff: .venv/.done
	python -m stacks.deploying $@ $(CLUSTERS) -- $(ARGS)

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
