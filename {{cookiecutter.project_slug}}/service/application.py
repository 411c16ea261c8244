"""create_app: the service, put together from its parts."""

from collections.abc import Mapping

from flask import Flask

from service import batch, errors, health, predictions
from service.about import citation, headers, openapi, page, provenance
from service.pool import InProcess, Pool, started
from service.proof.record import record
from service.proof.reproduce import reproduce
from service.served import ServedModel
from service.settings import settings, warn
from service.watch import Watch


def create_app(own: Mapping = {}, pool: Pool | InProcess | None = None) -> Flask:
    """Make the application that serves the model, once the model is ready.

    :raise SystemExit: if it cannot be served, with the reason
    """
    found = settings(own)
    warn()
    fingerprint = provenance.identity()["fingerprint"]  # stops at weights that are not as listed
    app = commands()
    app.url_map.merge_slashes = False  # by a redirect to whatever host the caller names
    app.json.ensure_ascii = False
    app.json.sort_keys = False  # an answer reads in the order in which it was written
    app.config.from_mapping(found)
    model = app.extensions["model"] = ServedModel(pool or started(found), found)
    for part in (predictions, batch, citation, openapi, page, health):
        part.register(app, model)
    errors.register(app)
    app.wsgi_app = Watch(app, fingerprint, headers.links(), found["CORS_ORIGINS"])
    return app


def commands() -> Flask:
    """Make an application with the commands `flask record` and `flask reproduce` alone."""
    app = Flask("service", template_folder="about/templates", static_folder="about/static")
    app.cli.add_command(record)
    app.cli.add_command(reproduce)
    return app
