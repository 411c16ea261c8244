"""Where `flask`, `python` and Gunicorn look for the service."""

import os

import click
from flask.cli import FlaskGroup

from service import logs
from service.application import commands, create_app

# One thread a sum, so that its last digits do not depend on the cores; the image sets the same.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

logs.configure()
context = click.get_current_context(silent=True)
# While `flask` looks a command up, such as `record`, there is nothing to serve yet.
app = commands() if context and isinstance(context.command, FlaskGroup) else create_app()

if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "{{ cookiecutter.port }}")))
