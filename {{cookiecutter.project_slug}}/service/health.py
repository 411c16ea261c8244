"""GET /healthz, /readyz and /metrics: how the service is, for machines that watch it."""

import os

import prometheus_client as prometheus
from flask import Flask, Response
from prometheus_client import multiprocess
from werkzeug.exceptions import ServiceUnavailable

from service.about.provenance import identity
from service.served import ServedModel

BUILD = ("version", "revision", "fingerprint")


def register(app: Flask, model: ServedModel) -> None:
    """Add the routes to a service."""

    def healthz() -> dict:
        """Answer, which only a live service does."""
        return {"status": "alive"}

    def readyz() -> dict:
        """Say that a prediction sent now would be taken, or why not.

        :raise 503: if it would not
        """
        if reason := model.pool.state()["reason"]:
            raise ServiceUnavailable(f"No prediction is taken: {reason}")
        return {"status": "ready"}

    def metrics() -> Response:
        """Give what all service processes have counted, for Prometheus."""
        counts = prometheus.REGISTRY
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            counts = prometheus.CollectorRegistry()
            multiprocess.MultiProcessCollector(counts)
        text = prometheus.generate_latest(counts) + prometheus.generate_latest(now(model))
        return Response(text, content_type=prometheus.CONTENT_TYPE_LATEST)

    for view in (healthz, readyz, metrics):
        app.add_url_rule(f"/{view.__name__}", view.__name__, view, methods=["GET"])


def now(model: ServedModel) -> prometheus.CollectorRegistry:
    """What is so at this moment, and is not counted."""
    registry, state = prometheus.CollectorRegistry(), model.pool.state()
    build = prometheus.Info("model_build", "The build that answers", registry=registry)
    build.info({name: identity()[name] for name in BUILD})
    for name, meaning, value in (
        ("model_load_seconds", "Time that load() took (s)", model.facts["load_seconds"]),
        ("model_processes", "Model processes that are ready", state["ready"]),
        ("model_waiting", "Predictions that wait for a process", state["waiting"]),
    ):
        prometheus.Gauge(name, meaning, registry=registry).set(value)
    return registry
