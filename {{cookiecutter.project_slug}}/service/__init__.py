"""The plumbing: the model's face, over HTTP."""

from flask import Flask

from service import errors, monitoring, pages, predictions


def create_app() -> Flask:
    """Put the service together from its parts."""
    app = Flask(__name__)
    app.json.sort_keys = False  # an answer reads in the order in which it was written
    for part in (predictions, pages, monitoring, errors):
        app.register_blueprint(part.bp)
    return app
