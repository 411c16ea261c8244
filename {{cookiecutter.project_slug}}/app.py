"""Where `flask`, `python` and Gunicorn look for the service."""

import os

from service import create_app, logs

logs.configure()
app = create_app()

if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "{{ cookiecutter.port }}")))
