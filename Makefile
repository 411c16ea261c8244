# make demo   renders the default project and serves it at http://localhost:5000 (PORT=5001 make demo)
# make test   runs the fast tests
# make lock   pins the groups of pyproject.toml in requirements*.txt
# make bench         measures the speed beside what people use instead, in about 25 minutes
# make bench-quick   measures it beside FastAPI and the app of 2019, in three minutes (both: Linux, with wrk)
# make pictures   draws the pictures of the page in README.md anew (with Chromium)

PYTHON ?= python3
COMPILE = .venv/bin/uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" --quiet
INSTALL = .venv/bin/python -m pip install --quiet --retries 1 2>.venv/pip.log --requirement
FAILED = { echo "The tools could not be installed: check the network, then try again (details: .venv/pip.log)."; exit 1; }

demo: .venv/demo
	@HOME="$(CURDIR)/.demo" .venv/bin/cookiecutter . --no-input --overwrite-if-exists --output-dir .demo >.venv/demo.log 2>&1 || { cat .venv/demo.log; exit 1; }
	@cd .demo/square-api && exec ../../.venv/bin/python -m gunicorn

test: .venv/ready
	@echo "The fast tests take a minute and a half on two cores that are free."
	@.venv/bin/python -m pytest -n auto

lock: .venv/ready
	@$(COMPILE) --upgrade --group dev --output-file requirements.txt
	@$(COMPILE) --constraint requirements.txt --group demo --output-file requirements-demo.txt
	@$(COMPILE) --constraint requirements.txt --upgrade --group models --output-file requirements-models.txt

bench: .venv/ready
	@.venv/bin/python benchmarks/speed.py --write

bench-quick: .venv/ready
	@.venv/bin/python benchmarks/speed.py --quick

pictures: .venv/ready
	@.venv/bin/python -m pip install --quiet --requirement requirements-models.txt
	@PICTURES=.github/pictures .venv/bin/python -m pytest -m browser tests/test_pictures.py

.venv/demo: requirements-demo.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=/path/to/python make demo."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "This Python has no venv: install it (Debian, Ubuntu: apt install python3-venv)."; exit 1; }
	@$(PYTHON) -m venv .venv
	@echo "Installing what the demo needs into .venv, once."
	@$(INSTALL) requirements-demo.txt || $(FAILED)
	@touch .venv/demo

.venv/ready: requirements.txt .venv/demo
	@echo "Installing the tools of the tests into .venv, once."
	@$(INSTALL) requirements.txt || $(FAILED)
	@touch .venv/ready

.PHONY: demo test lock bench bench-quick pictures
