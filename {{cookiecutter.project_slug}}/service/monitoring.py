"""GET /healthz: whether the service is alive, for machines that watch it."""

from flask import Blueprint

bp = Blueprint("monitoring", __name__)


@bp.get("/healthz")
def healthz() -> dict:
    """Answer, which only a live service does."""
    return {"status": "alive"}
