# make demo   renders the default project and serves it at http://localhost:5000 (PORT=5001 make demo)
# make test   runs the fast tests
# make lock   pins the tools of pyproject.toml in requirements.txt and requirements-models.txt

PYTHON ?= python3

demo: .venv/ready
	@HOME="$(CURDIR)/.demo" .venv/bin/cookiecutter . --no-input --overwrite-if-exists --output-dir .demo >.venv/demo.log 2>&1 || { cat .venv/demo.log; exit 1; }
	@cd .demo/square-api && exec ../../.venv/bin/python -m gunicorn

test: .venv/ready
	@.venv/bin/python -m pytest -n auto

lock: .venv/ready
	@.venv/bin/uv pip compile pyproject.toml --group dev --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" --quiet --upgrade --output-file requirements.txt
	@.venv/bin/uv pip compile pyproject.toml --group models --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" --quiet --upgrade --constraint requirements.txt --output-file requirements-models.txt

.venv/ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=/path/to/python make demo."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "This Python has no venv: install it (Debian, Ubuntu: apt install python3-venv)."; exit 1; }
	@$(PYTHON) -m venv .venv
	@echo "Installing the tools into .venv, once."
	@.venv/bin/python -m pip install --quiet --retries 1 --requirement requirements.txt 2>.venv/pip.log || { echo "The tools could not be installed: check the network, then try again (details: .venv/pip.log)."; exit 1; }
	@touch .venv/ready

.PHONY: demo test lock
