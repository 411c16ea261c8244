"""What the container tests share: an engine, base images, the project, its image, containers."""

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import bases as base_images
from .engine import Engine, NoEngine, running_engine

ANSWERS = {
    "project_name": 'Square "API" \\ $HOME ${PORT} 🚀',
    "project_slug": "square-api",
    "description": "It's {{ 7*7 }} `id` $(id) # C:\\new\\",
    "version": "1.2.3",
    "author_given_names": 'Ada \\"',
    "author_family_names": "von $1 שלום",
    "repository_url": "https://example.org/?a='b'&c=$d#e",
    "license": "Apache-2.0",
}
HARDENED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
def cache() -> Path:
    """Everything that a second run need not make again."""
    default = Path.home() / ".cache/cookiecutter-model-api"
    folder = Path(os.environ.get("MODEL_API_CACHE", default))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def engine(cache: Path) -> Iterator[Engine]:
    with ExitStack() as stack:
        try:
            yield stack.enter_context(running_engine(cache))
        except NoEngine as reason:
            if os.environ.get("CI") == "true":
                pytest.fail(str(reason))
            pytest.skip(str(reason))


@pytest.fixture(scope="session")
def project(bake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project under test, freshly rendered with awkward answers: without locks."""
    folder = shutil.copytree(bake(**ANSWERS), tmp_path_factory.mktemp("project") / "square")
    if not base_images.public_is_reachable():
        base_images.unpin(folder / "Dockerfile")
    return folder


@pytest.fixture(scope="session")
def bases(engine: Engine, project: Path, cache: Path) -> Iterator[str]:
    """`public` or `stand-in`: what the images of this run start from."""
    with base_images.provided(engine, project, cache) as kind:
        yield kind


@pytest.fixture
def workspace(project: Path, tmp_path: Path) -> Path:
    """A copy of the project that a test may change; its Dockerfile stays what it is."""
    folder = Path(shutil.copytree(project, tmp_path / "workspace"))
    yield folder
    assert (folder / "Dockerfile").read_bytes() == (project / "Dockerfile").read_bytes()


@dataclass
class Build:
    """What `docker build` left: an image, or the reason why there is none."""

    image: str
    output: str
    succeeded: bool


@pytest.fixture(scope="session")
def build(engine: Engine, bases: str) -> Callable[..., Build]:
    def build(folder: Path, *options: str, name: str = "model-api-test:other", **settings) -> Build:
        answer = engine.run("build", "--tag", name, *options, folder, settings=settings)
        return Build(name, answer.stdout, answer.returncode == 0)

    return build


@pytest.fixture(scope="session")
def image(build: Callable[..., Build], project: Path) -> str:
    """The image of the project as it is."""
    built = build(project, name="model-api-test:project")
    assert built.succeeded, built.output
    return built.image


class Container:
    """A running service, its published address and its words."""

    def __init__(self, engine: Engine, image: str, options: tuple[str, ...], port: int) -> None:
        self.engine = engine
        self.name = engine("run", "--detach", f"--publish=127.0.0.1::{port}", *options, image)
        published = engine("port", self.name, f"{port}/tcp").splitlines()[0]
        self.address = f"http://{published}"

    def get(self, path: str, timeout: float = 20) -> tuple[int, str]:
        """Ask once the port is open; the answer is the status and the body."""
        for _ in range(100):
            try:
                with urllib.request.urlopen(self.address + path, timeout=timeout) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
            except (ConnectionError, urllib.error.URLError):
                time.sleep(0.1)
        raise AssertionError(f"{self.address} does not answer:\n{self.log()}")

    def post(self, path: str, body: bytes, kind: str) -> int:
        """Send a body; the answer is the status."""
        request = urllib.request.Request(self.address + path, body, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def python(self, program: str) -> subprocess.CompletedProcess:
        """Run a Python program inside."""
        return self.engine.run("exec", self.name, "python", "-c", program)

    def health(self) -> str:
        """The health status, once it is known."""
        for _ in range(120):
            status = self.inspect("{{.State.Health.Status}}")
            if status != "starting":
                return status
            time.sleep(0.25)
        return status

    def inspect(self, template: str) -> str:
        return self.engine("inspect", "--format", template, self.name)

    def log(self) -> str:
        return self.engine("logs", self.name)


@pytest.fixture
def serve(engine: Engine) -> Iterator[Callable[..., Container]]:
    """Start containers; they are removed when the test ends."""
    containers = []

    def serve(image: str, *options: str, port: int = 5000) -> Container:
        containers.append(Container(engine, image, options, port))
        return containers[-1]

    yield serve
    for container in containers:
        engine.run("rm", "--force", "--volumes", container.name)
