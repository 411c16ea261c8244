"""`docker compose up --build`: the one way to start it, the same words on every system."""

import json
import socket
import urllib.request

import pytest


@pytest.fixture
def compose(engine, bases, workspace):
    """`docker compose` in a copy of the project, on a free port; all of it is taken down."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    engine_options = {"cwd": workspace, "settings": {"PORT": str(port)}}

    def compose(*arguments: str) -> str:
        return engine("compose", *arguments, **engine_options)

    compose.address = f"http://127.0.0.1:{port}"
    yield compose
    engine.run("compose", "down", "--volumes", "--timeout", "2", **engine_options)


def test_compose_serves_a_healthy_service(compose, engine):
    compose("up", "--build", "--detach", "--wait")
    with urllib.request.urlopen(f"{compose.address}/api?value=12", timeout=5) as answer:
        assert json.load(answer) == {"Value Squared": 144}
    container = compose("ps", "--quiet").splitlines()[0]
    assert engine("inspect", "--format", "{{.State.Health.Status}}", container) == "healthy"
    assert engine("inspect", "--format", "{{.HostConfig.ReadonlyRootfs}}", container) == "true"


def test_compose_finds_no_fault(compose):
    assert "warning" not in compose("config").lower()
