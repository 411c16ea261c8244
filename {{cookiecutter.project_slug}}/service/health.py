"""GET /healthz, /readyz and /metrics: the state of the service, for programs that watch it."""

import os
from collections.abc import Iterator

import prometheus_client as prometheus
from flask import Flask, Response
from prometheus_client import metrics_core, multiprocess
from werkzeug.exceptions import ServiceUnavailable

from service.about.provenance import identity
from service.served import ServedModel


def register(app: Flask, model: ServedModel) -> None:
    """Add the routes to a service."""

    def healthz() -> dict:
        """Answer as long as the service lives."""
        return {"status": "alive"}

    def readyz() -> dict:
        """Say that a prediction sent now would be taken, or why not.

        :raise 503: if it would not
        """
        if reason := model.pool.state()["reason"]:
            wait = model.settings["WAIT"]
            raise ServiceUnavailable(f"No prediction is taken: {reason}", retry_after=wait)
        return {"status": "ready"}

    def metrics() -> Response:
        """Give what all service processes have counted, and what is so now, for Prometheus."""
        is_shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        counts = multiprocess.MultiProcessCollector(None) if is_shared else prometheus.REGISTRY
        text = prometheus.generate_latest(counts) + prometheus.generate_latest(Now(model))
        return Response(text, content_type=prometheus.CONTENT_TYPE_LATEST)

    for view in (healthz, readyz, metrics):
        app.add_url_rule(f"/{view.__name__}", view.__name__, view, methods=["GET"])


class Now:
    """The metrics that are true at this moment and are not counted in a file."""

    def __init__(self, model: ServedModel) -> None:
        self.model = model

    def collect(self) -> Iterator[metrics_core.Metric]:
        """Name the build of the model, and give the state of its processes."""
        state = self.model.pool.state()
        build = {name: identity()[name] for name in ("version", "revision", "fingerprint")}
        yield metrics_core.InfoMetricFamily("model_build", "The build that answers", build)
        for name, meaning, value in (
            ("model_load_seconds", "Time that load() took (s)", self.model.facts["load_seconds"]),
            ("model_processes", "Model processes that are ready", state["ready"]),
            ("model_busy", "Model processes that predict", len(state["requests"])),
        ):
            yield metrics_core.GaugeMetricFamily(name, meaning, value)
