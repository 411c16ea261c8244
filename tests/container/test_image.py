"""The image as a stranger meets it: built by a real engine, and called through its port."""

import hashlib
import http.client
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from bodies import COSTLY

from . import trees
from .bases import names
from .conftest import ANSWERS, HARDENED

MEGABYTE = 1_000_000
PODS = "deploy/kubernetes.yaml"
SIZE_BUDGET = 180 * MEGABYTE
CANARY = b"canary-5f1d0c-secret"
WEIGHTS = b"weights that belong to the model"
SLOW = """
import time

fast_predict = predict


def predict(inputs):
    time.sleep(3)
    return fast_predict(inputs)
"""
GREEDY = """
easy_predict = predict


def predict(inputs):
    if inputs.value == 1234:
        b"x" * 500_000_000  # unlike zeros, these take the memory
    return easy_predict(inputs)
"""
ORDER = """
from pydantic import BaseModel


class Output(BaseModel):
    order: str


def predict(inputs):
    return Output(order=" ".join(set("abcdefghijklmnop")))
"""
SCRATCH = """
import tempfile
with tempfile.NamedTemporaryFile() as file:
    print(file.write(bytes(5_000_000)))
"""
LEFT = """
import os, signal, subprocess
service = subprocess.Popen(["gunicorn", "--chdir", "/app", "--config", "/app/gunicorn.conf.py"])
signal.signal(signal.SIGTERM, lambda *_: service.terminate())
code = service.wait()
left = [name for name in os.listdir("/proc") if name.isdecimal() and name != "1"]
print(f"code {code}, left {left}")
"""
CHOSEN = """
from pathlib import Path
for process in Path("/proc").glob("[0-9]*"):
    name = (process / "cmdline").read_text().split("\\0")
    print("service.runner" in name, (process / "oom_score_adj").read_text().strip())
"""
WRITABLE = """
import os
for root in ("/opt/env", "/app"):
    for folder, folders, files in os.walk(root):
        for path in [folder, *(os.path.join(folder, name) for name in folders + files)]:
            if os.access(path, os.W_OK):
                print(path)
"""
BYTE_CODE = """
import importlib.util, pathlib
for source in [*pathlib.Path("/opt/env/lib").rglob("*.py"), *pathlib.Path("/app").rglob("*.py")]:
    cached = pathlib.Path(importlib.util.cache_from_source(source))
    if not cached.exists() or cached.read_bytes()[4:8] != bytes([1, 0, 0, 0]):
        print(source)
"""


def test_the_square_is_served_through_the_published_port(image, serve):
    status, body = serve(image).get("/api?value=12")
    assert status == 200
    assert json.loads(body) == {"Value Squared": 144}


def test_it_is_ready_two_seconds_after_docker_run(image, serve):
    durations = []
    for _ in range(3):
        start = time.monotonic()
        assert serve(image).get("/healthz")[0] == 200
        durations.append(time.monotonic() - start)
    assert min(durations) < 2, durations


@pytest.mark.parametrize("port", [5000, 7001])
def test_it_is_healthy_on_the_port_that_is_set_and_past_any_proxy(image, serve, port):
    proxy = ["--env=http_proxy=http://127.0.0.1:9", "--env=HTTP_PROXY=http://127.0.0.1:9"]
    container = serve(image, f"--env=PORT={port}", *proxy, port=port)
    assert container.health() == "healthy"


def test_it_is_unhealthy_when_nothing_answers(engine, image, serve):
    silent = ["--entrypoint=python", "--health-interval=1s", "--health-retries=1"]
    container = serve(image, *silent, "--health-start-period=1ms", "--interactive")
    assert container.health() == "unhealthy"


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--user=123456:0"],
        ["--user=1000:1000", "--workdir=/"],
        ["--env=HOME=", "--user=4242:4242"],
        ["--env=HOME=/nowhere", "--workdir=/tmp"],
    ],
    ids=" ".join,
)
def test_it_runs_without_rights(image, serve, options):
    container = serve(image, *HARDENED, *options)
    assert container.get("/api?value=12")[0] == 200
    assert container.python(SCRATCH).stdout.strip() == "5000000"
    assert not [line for line in container.log().splitlines() if "ERROR" in line]
    assert not [line for line in container.log().splitlines() if "WARNING" in line.upper()]


@pytest.mark.parametrize("options", ["--ipc=none", "--tmpfs=/dev/shm:size=4k"])
def test_it_serves_where_nothing_can_be_written(image, serve, options):
    container = serve(image, *HARDENED, options)
    assert "No space left" in container.python(SCRATCH).stdout or "none" in options
    assert [container.get("/api?value=12")[0] for _ in range(20)] == [200] * 20
    assert container.get("/metrics")[0] == 200
    assert not [line for line in container.log().splitlines() if "ERROR" in line]


def test_the_user_is_a_number_and_not_root(engine, image):
    user = engine("inspect", "--format", "{{.Config.User}}", image)
    assert user == "65532:65532"


def test_a_stop_answers_the_request_in_flight(build, serve, engine, workspace):
    with (workspace / "model/__init__.py").open("a") as model:
        model.write(SLOW)
    built = build(workspace)
    assert built.succeeded, built.output
    container = serve(built.image)
    container.get("/healthz")
    answers = []
    request = threading.Thread(target=lambda: answers.append(container.get("/api?value=12")))
    request.start()
    time.sleep(1)
    engine("stop", container.name)
    request.join()
    assert answers[0][0] == 200
    assert container.inspect("{{.State.ExitCode}}") == "0"


def test_a_model_process_that_takes_all_the_memory_costs_one_answer(build, serve, workspace):
    with (workspace / "model/square.py").open("a") as model:
        model.write(GREEDY)
    greedy = build(workspace, name="model-api-test:greedy")
    assert greedy.succeeded, greedy.output
    container = serve(greedy.image, "--memory=300m", "--memory-swap=300m")
    for _ in range(3):
        status, problem = container.get("/api?value=1234")
        assert status == 500 and "SIGKILL, as when memory runs out" in problem
        assert container.get("/healthz")[0] == 200
        assert container.get("/api?value=3") == (200, '{"Value Squared":9}\n')
    killed = [line for line in container.log().splitlines() if "SIGKILL" in line]
    assert len(killed) == 3 and container.inspect("{{.RestartCount}}") == "0"


def test_a_model_process_ends_first_where_memory_runs_out(image, serve):
    container = serve(image, "--memory=300m")
    container.get("/healthz")
    assert set(container.python(CHOSEN).stdout.splitlines()) == {"True 500", "False 0"}


def test_bodies_that_cost_much_fit_into_the_memory_of_a_pod(image, serve, project):
    (limit,) = re.findall(r"limits: {.*memory: (\d)Gi}", (project / PODS).read_text("utf-8"))
    container = serve(image, f"--memory={limit}g", f"--memory-swap={limit}g", "--cpus=2")
    assert container.get("/healthz")[0] == 200
    for fault in COSTLY:
        path, make, kind = fault.request
        told = container.post(path, make().encode(), kind)
        assert told in {200, 400, 413, 415, 422}, fault.__doc__
    assert container.get("/api?value=2")[0] == 200
    assert container.inspect("{{.State.OOMKilled}} {{.RestartCount}}") == "false 0"
    assert "SIGKILL" not in container.log()


def test_a_stop_takes_no_time_when_nobody_waits(image, serve, engine):
    container = serve(image)
    container.get("/healthz")
    start = time.monotonic()
    engine("stop", container.name)
    assert time.monotonic() - start < 3
    assert container.inspect("{{.State.ExitCode}}") == "0"


def test_a_stop_leaves_no_process(engine, image):
    """Process 1 is a program of ours, or its end would be that of all others."""
    container = engine("run", "--detach", "--entrypoint=python", image, "-c", LEFT)
    try:
        while "Open http" not in engine("logs", container):
            time.sleep(0.1)
        engine("stop", container)
        assert "code 0, left []" in engine("logs", container)
    finally:
        engine("rm", "--force", container)


def test_a_prediction_without_end_does_not_hold_up_a_stop(build, serve, engine, workspace):
    with (workspace / "model/__init__.py").open("a") as model:
        model.write(SLOW.replace("sleep(3)", "sleep(3600)"))
    endless = build(workspace, "--build-arg=CHECK=false")
    assert endless.succeeded, endless.output
    container = serve(endless.image)
    container.get("/healthz")
    call = http.client.HTTPConnection(container.address.removeprefix("http://"))
    call.request("GET", "/api?value=12")
    time.sleep(1)
    engine("stop", container.name)  # which kills after 10 seconds
    call.close()
    assert container.inspect("{{.State.ExitCode}}") == "0"


def test_the_labels_are_the_answers(engine, project, build):
    built = build(project, "--build-arg=REVISION=0123abc", name="model-api-test:labels")
    assert built.succeeded, built.output
    labels = json.loads(engine("inspect", "--format", "{{json .Config.Labels}}", built.image))
    prefix = "org.opencontainers.image."
    found = {name.removeprefix(prefix): labels[name] for name in labels if prefix in name}
    assert found == {
        "title": ANSWERS["project_name"],
        "description": ANSWERS["description"],
        "version": ANSWERS["version"],
        "authors": f"{ANSWERS['author_given_names']} {ANSWERS['author_family_names']}",
        "source": ANSWERS["repository_url"],
        "licenses": ANSWERS["license"],
        "revision": "0123abc",
        "base.name": names(project / "Dockerfile")["RUNTIME"],
    }


def service_info(container) -> dict:
    return json.loads(container.get("/service-info")[1])


def test_the_service_says_what_it_was_built_from(build, project, serve):
    told = ["--build-arg=REVISION=0123abc", "--build-arg=DIRTY=false"]
    built = build(project, *told, name="model-api-test:told")
    assert built.succeeded, built.output
    info = service_info(serve(built.image, *HARDENED))
    assert (info["revision"], info["dirty"], info["check"]) == ("0123abc", False, True)
    assert info["lock"].startswith("not locked: ")
    name, _, digest = names(project / "Dockerfile")["RUNTIME"].partition("@")
    assert info["base"] == {"name": name, "digest": digest or "unknown"}
    assert set(info["threads"].values()) == {"0", "1"}
    assert info["packages"]["flask"]


def test_a_plain_build_knows_no_revision_and_agrees_with_the_next_and_with_the_checkout(
    build, image, serve, project
):
    built = build(project, "--no-cache")
    assert built.succeeded, built.output
    first, second = service_info(serve(image)), service_info(serve(built.image))
    assert first == second
    assert (first["revision"], first["dirty"]) == ("unknown", "unknown")
    program = (
        "import json; from service.about.provenance import identity; print(json.dumps(identity()))"
    )
    command = [sys.executable, "-B", "-c", program]
    local = json.loads(subprocess.run(command, cwd=project, check=True, capture_output=True).stdout)
    for part in ("model", "service", "lock"):
        assert local["parts"][part] == first["parts"][part]
    assert local["files"] == first["files"]


def test_two_containers_give_the_same_bytes(build, serve, workspace):
    with (workspace / "model/__init__.py").open("a") as model:
        model.write(ORDER)
    built = build(workspace, "--build-arg=CHECK=false")
    assert built.succeeded, built.output
    found = [serve(built.image).get("/api?value=2") for _ in range(2)]
    assert found[0] == found[1]
    assert found[0] != serve(built.image, "--env=PYTHONHASHSEED=1").get("/api?value=2")


@pytest.fixture
def publisher(tmp_path) -> Iterator[str]:
    """The address at which the weights are published, on this machine."""
    (tmp_path / "published").mkdir()
    (tmp_path / "published/weights.bin").write_bytes(WEIGHTS)
    serves = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "published")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serves) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/weights.bin"
        server.shutdown()


def test_listed_weights_are_fetched_by_the_build_or_taken(build, serve, workspace, publisher):
    entry = {"file": "weights.bin", "url": publisher, "bytes": len(WEIGHTS)}
    entry |= {"sha256": hashlib.sha256(WEIGHTS).hexdigest(), "license": "CC0-1.0"}
    (workspace / "model/weights.json").write_text(json.dumps([entry]))
    built = build(workspace)
    assert not built.succeeded
    assert "add pooch>=1.8,<2 to environment.yml" in built.output
    with (workspace / "environment.yml").open("a") as listed:
        listed.write("  - pooch>=1.8,<2\n")
    fetched = build(workspace, "--network=host")
    assert fetched.succeeded, fetched.output
    (workspace / "model/weights.bin").write_bytes(WEIGHTS)
    taken = build(workspace, "--network=none", name="model-api-test:taken")
    assert taken.succeeded, taken.output
    for image in (fetched.image, taken.image):
        found = service_info(serve(image))["files"]["model/weights.bin"]
        assert found == {key: value for key, value in entry.items() if key != "file"}


@pytest.mark.parametrize("shell", ["sh", "/bin/sh", "bash", "/busybox/sh", "micromamba", "pip"])
def test_there_is_no_shell_and_no_installer(engine, image, shell):
    assert engine.run("run", "--rm", f"--entrypoint={shell}", image, "--version").returncode == 127


def test_nothing_installs_or_compiles(engine, image):
    unwanted = {"apt", "bash", "busybox", "cc", "conda", "dash", "dpkg", "gcc", "ld", "mamba"}
    unwanted |= {"micromamba", "pip", "pip3", "pytest", "python3.13-config", "sh", "ruff"}
    paths = [Path(path) for path in trees.tree(engine, image)]
    assert not [path for path in paths if path.parent.name == "bin" and path.name in unwanted]
    assert not [path for path in paths if path.parts[-2:] == ("site-packages", "pip")]


@pytest.mark.parametrize("user", ["65532:65532", "123456:0"])
def test_neither_code_nor_environment_can_be_written(engine, image, user):
    options = ["--rm", f"--user={user}", "--entrypoint=python"]
    assert engine("run", *options, image, "-c", WRITABLE) == ""


def test_every_module_has_byte_code_that_no_clock_invalidates(engine, image):
    without = engine("run", "--rm", "--entrypoint=python", image, "-c", BYTE_CODE)
    assert without == ""


def test_two_layers_and_a_budget(engine, image, project, bases):
    runtime = names(project / "Dockerfile")["RUNTIME"]
    if bases == "public":
        engine("pull", runtime)
    below = len(json.loads(engine("inspect", "--format", "{{json .RootFS.Layers}}", runtime)))
    history = engine("history", "--format", "{{.Size}} {{.CreatedBy}}", "--no-trunc", image)
    ours = [line for line in history.splitlines() if "buildkit" in line or "COPY" in line]
    filled = [line for line in ours if not line.startswith("0B ")]
    layers = json.loads(engine("inspect", "--format", "{{json .RootFS.Layers}}", image))
    assert len(layers) - below <= 4  # the others hold nothing: WORKDIR, and RUN of the check
    assert len([line for line in filled if "COPY /opt/env" in line]) == 1
    assert len([line for line in filled if "COPY /app" in line]) == 1
    assert not [line for line in filled if "RUN" in line]
    assert int(engine("inspect", "--format", "{{.Size}}", image)) < SIZE_BUDGET


def test_a_model_that_drifted_is_not_built_unless_the_check_is_off(build, serve, workspace):
    square = workspace / "model/square.py"
    square.write_text(square.read_text().replace("inputs.value**2", "inputs.value**2 + 1"))
    built = build(workspace)
    assert not built.succeeded
    assert "model/examples/two.json: Value Squared is 5, recorded as 4." in built.output
    unchecked = build(workspace, "--build-arg", "CHECK=false")
    assert unchecked.succeeded, unchecked.output
    assert serve(unchecked.image).get("/api?value=2") == (200, '{"Value Squared":5}\n')


def test_a_model_without_a_recorded_example_is_not_built(build, workspace):
    for path in (workspace / "model/examples").iterdir():
        path.unlink()
    built = build(workspace)
    assert not built.succeeded
    assert "No example is recorded." in built.output and "make record" in built.output


def test_two_builds_hold_the_same_files(engine, build, project):
    found = []
    for _ in range(2):
        built = build(project, "--no-cache", SOURCE_DATE_EPOCH="1700000000")
        assert built.succeeded, built.output
        found.append(trees.tree(engine, built.image))
        time.sleep(1)
    first, second = found
    assert {path for path in first | second if first.get(path) != second.get(path)} == set()


def test_the_checkout_leaves_no_trace(engine, build, image, workspace):
    """Neither when files were checked out nor the umask of who did."""
    for path in workspace.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1_500_000_000, 1_500_000_000))
    built = build(workspace)
    assert built.succeeded, built.output
    assert trees.tree(engine, built.image) == trees.tree(engine, image)


def test_a_change_in_the_model_leaves_the_environment_alone(build, image, workspace):
    with (workspace / "model/__init__.py").open("a") as model:
        model.write(f"\n# {time.time()}\n")
    built = build(workspace)
    assert built.succeeded, built.output
    assert "micromamba create" not in not_cached(built.output)
    assert "compileall -q --invalidation-mode unchecked-hash /app" in not_cached(built.output)


def not_cached(output: str) -> str:
    """The steps that BuildKit did run, of its plain output."""
    steps = {}
    for line in output.splitlines():
        number = line.split(" ")[0]
        steps[number] = steps.get(number, "") + line + "\n"
    return "".join(text for text in steps.values() if " CACHED" not in text)


@pytest.fixture
def littered(workspace) -> Path:
    """A project folder as folders are: with what must not leave it, and with real weights."""
    stray = [".env", "id_rsa", ".git/config", "notes.ipynb", "data.csv", "model/.env"]
    stray += ["model/data/raw.csv", "model/look.ipynb", "service/.netrc", ".aws/credentials"]
    for name in stray:
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_bytes(CANARY)
    (workspace / "model/weights").mkdir()
    (workspace / "model/weights/layer.bin").write_bytes(WEIGHTS)
    return workspace


def test_stray_files_reach_no_layer(engine, build, littered):
    built = build(littered)
    assert built.succeeded, built.output
    assert not trees.holds(engine, built.image, CANARY)
    assert trees.holds(engine, built.image, WEIGHTS)


def test_stray_files_do_not_even_reach_the_engine(engine, bases, littered):
    """A Dockerfile that copies all it can see, in the place of the project's."""
    name = "model-api-test:context"
    recipe = 'FROM scratch\nCOPY . /\nCMD ["none"]\n'
    engine("build", "--tag", name, "--file=-", ".", cwd=littered, input=recipe)
    assert not trees.holds(engine, name, CANARY)
    assert trees.holds(engine, name, WEIGHTS)


def test_a_pointer_in_place_of_weights_stops_the_build(build, workspace):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (workspace / "model/weights.bin").write_text(pointer)
    built = build(workspace)
    assert not built.succeeded
    assert "git lfs pull" in built.output and "model/weights.bin" in built.output


def test_one_argument_gives_a_runtime_with_a_shell(engine, build, project, bases):
    base = {"public": "debian:13-slim", "stand-in": names(project / "Dockerfile")["MICROMAMBA"]}
    built = build(project, f"--build-arg=RUNTIME={base[bases]}", name="model-api-test:shell")
    assert built.succeeded, built.output
    command = ["run", "--rm", "--entrypoint=sh", built.image, "-c"]
    assert engine(*command, "gunicorn --check-config && id -u").endswith("65532")


def test_buildkits_own_checks_find_no_fault(engine, bases, project):
    if int(engine("version", "--format", "{{.Server.Version}}").split(".")[0]) < 27:
        pytest.skip("this engine's BuildKit has no checks; MODEL_API_ENGINE=newest has")
    answer = engine.run("buildx", "build", "--check", project)
    assert answer.returncode == 0 and "no warnings found" in answer.stdout, answer.stdout
