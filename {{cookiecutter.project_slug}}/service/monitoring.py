"""GET /healthz and /readyz: how the service is, for machines that watch it."""

from flask import Blueprint

from service.capacity import hold

bp = Blueprint("monitoring", __name__)


@bp.get("/healthz")
def healthz() -> dict:
    """Answer, which only a live service does."""
    return {"status": "alive"}


@bp.get("/readyz")
def readyz() -> dict:
    """Say that a prediction sent now would be taken; while it starts or stops nothing answers.

    :raise 503: if too many predictions run
    """
    with hold("places"):
        return {"status": "ready"}
