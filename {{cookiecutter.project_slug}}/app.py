"""Where `flask`, `python` and Gunicorn look for the service."""

import os

import click

from service import logs, pool
from service.settings import port, settings

# One thread a sum, so that its last digits do not depend on the cores; the image sets the same.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

logs.open_streams()
logs.configure()
context = click.get_current_context(silent=True)
# While `flask` looks a command up, such as `record`, there is nothing to serve yet.
is_serving = not (context and isinstance(context.command, click.Group))
# The model loads while the rest is imported.
model = pool.started(settings()) if is_serving else None

from service.application import commands, create_app  # noqa: E402

app = create_app(pool=model) if is_serving else commands()

if __name__ == "__main__":
    app.run(port=port())
