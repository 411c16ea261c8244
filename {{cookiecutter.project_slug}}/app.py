"""Where `flask`, `python` and Gunicorn look for the service."""

import os

# One thread a sum, so that its last digits do not depend on the cores; the image sets the same.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

try:
    from service import create_app, logs

    logs.configure()
    app = create_app()
except RuntimeError as error:  # of which Gunicorn would print the words, and not the place
    raise ImportError("The service does not start.") from error

if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "{{ cookiecutter.port }}")))
