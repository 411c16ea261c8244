"""GET /examples: the recorded examples, for programs."""

from flask import Flask

from service.proof.examples import examples


def register(app: Flask, model: object) -> None:
    """Add the route to a service."""
    known = {name: one.model_dump(exclude_unset=True) for name, one in examples().items()}
    app.add_url_rule("/examples", "examples", lambda: known, methods=["GET"])
