"""The plumbing: the model's face, over HTTP."""

import sys
from collections.abc import Mapping

from flask import Flask

from service import (
    batch,
    capacity,
    citation,
    contract,
    errors,
    examples,
    headers,
    metrics,
    monitoring,
    openapi,
    pages,
    predictions,
    provenance,
    reproduce,
)

ROUTES = (predictions, batch, examples, provenance, citation, openapi, pages, monitoring)

# What MODEL_<NAME> in the environment may change.
SETTINGS = {
    "MAX_CONTENT_LENGTH": 10_000_000,  # bytes; a longer body is answered with 413
    "BATCH_ROWS": 10_000,  # rows of a batch; more are answered with 413
    # Predictions that each worker runs at once; a batch is one. Cores are shared among workers,
    # so more make nothing faster: these let a short prediction pass a long one.
    "CONCURRENCY": 4,
    # Seconds for which a prediction waits for others to end; then it is answered with 503. With
    # the prediction itself it should end within the graceful_timeout of gunicorn.conf.py.
    "WAIT": 5,
    # Whose pages may read the answers in a visitor's browser: origins such as
    # https://example.org with spaces between, * for all, nothing for none. All may, since no
    # answer depends on a cookie or a password; where only a network guards the service, name them.
    "CORS_ORIGINS": "*",
    "CHECK": True,  # whether the recorded examples must give their answers before the port opens
}


def create_app(settings: Mapping = {}) -> Flask:
    """Load the model and put the service together from its parts."""
    if "reproduce" not in sys.argv:  # it asks another process, which may fail to load the model
        provenance.identity()  # which stops at weights that are missing or changed
        contract.loaded()
    app = Flask(__name__)
    app.json.sort_keys = False  # an answer reads in the order in which it was written
    app.config.from_mapping(SETTINGS)
    app.config.from_prefixed_env("MODEL")
    app.config.from_mapping(settings)
    for name, default in SETTINGS.items():
        value = app.config[name]
        if type(value) is not type(default) or (type(value) is int and value < 1):
            sys.exit(f"MODEL_{name}={value!r} is not a value like {default!r}.")
    # Flask lets the first begin and end every request.
    for part in (metrics, capacity, *ROUTES, reproduce, headers, errors):
        app.register_blueprint(part.bp)
    # These two are there to see and to mend what the check would stop at.
    if app.config["CHECK"] and not {"record", "reproduce"} & set(sys.argv):
        examples.check()
    return app
