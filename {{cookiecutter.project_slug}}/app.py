"""Where `flask`, `python` and Gunicorn look for the service."""

import os

try:
    from service import create_app, logs

    logs.configure()
    app = create_app()
except RuntimeError as error:  # of which Gunicorn would print the words, and not the place
    raise ImportError("The service does not start.") from error

if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "{{ cookiecutter.port }}")))
