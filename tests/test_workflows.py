"""The GitHub files of the template and of a rendered project are safe, valid and true."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from conftest import TEMPLATE, clean_environment

CHECK = ".github/workflows/check.yml"
PINNED = re.compile(r"\s*(?:- )?uses: ([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)")
TOOLS = Path(sys.executable).parent
RUNNER_IS_LINUX = pytest.mark.skipif(sys.platform == "win32", reason="the job runs on Linux")


@pytest.fixture(params=["template", "rendered project"])
def root(request, bake) -> Path:
    """The template, then a project with the default answers."""
    return TEMPLATE if request.param == "template" else bake()


def github_files(root: Path) -> list[Path]:
    files = sorted((root / ".github").rglob("*.yml"))
    assert files
    return files


def workflows(root: Path) -> list[Path]:
    return [file for file in github_files(root) if file.parent.name == "workflows"]


def jobs(root: Path) -> dict[str, dict]:
    """Every job of every workflow, by its key."""
    parsed = [yaml.safe_load(file.read_text("utf-8"))["jobs"] for file in workflows(root)]
    found = {key: job for workflow in parsed for key, job in workflow.items()}
    assert len(found) == sum(map(len, parsed))
    return found


def scripts(job: dict) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def pins(root: Path) -> dict[str, set[tuple[str, str]]]:
    """The commits and versions each action is pinned to."""
    found: dict[str, set[tuple[str, str]]] = {}
    for file in workflows(root):
        for action, *pin in PINNED.findall(file.read_text("utf-8")):
            found.setdefault(action, set()).add(tuple(pin))
    return found


def run(name: str, *arguments: object, **options) -> subprocess.CompletedProcess:
    """Run one of the tools installed beside this Python, or on the path."""
    program = shutil.which(name, path=os.pathsep.join([str(TOOLS), os.environ["PATH"]]))
    command = [program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", **options)


def run_script(script: str, folder: Path, **variables: object) -> subprocess.CompletedProcess:
    """Run a step's script as GitHub does where a workflow names bash as its shell."""
    environment = clean_environment() | {name: str(value) for name, value in variables.items()}
    words = ["--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return run("bash", *words, cwd=folder, env=environment)


def test_zizmor_finds_no_weakness(root):
    options = ["--offline", "--persona=pedantic", "--no-config", "--no-ignores", "--no-progress"]
    result = run("zizmor", *options, "--strict-collection", *github_files(root))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_every_file_fits_its_schema(root):
    for file in github_files(root):
        kind = "github-workflows" if file.parent.name == "workflows" else file.stem
        result = run("check-jsonschema", "--builtin-schema", f"vendor.{kind}", file)
        assert result.returncode == 0, result.stdout + result.stderr


def test_every_action_is_pinned_to_a_commit_and_names_its_version(root):
    lines = [line for file in workflows(root) for line in file.read_text("utf-8").splitlines()]
    assert [line for line in lines if "uses:" in line and not PINNED.fullmatch(line)] == []


def test_every_job_ends_in_time(root):
    assert [key for key, job in jobs(root).items() if "timeout-minutes" not in job] == []


def test_a_newer_run_cancels_the_older(root):
    for file in workflows(root):
        concurrency = yaml.safe_load(file.read_text("utf-8"))["concurrency"]
        assert "${{ github.ref }}" in concurrency["group"]
        assert concurrency["cancel-in-progress"] is True


def test_every_make_target_exists(root):
    makefile = (root / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([\w./-]+):", makefile, re.MULTILINE))
    commands = "\n".join(script for job in jobs(root).values() for script in scripts(job))
    named = set(re.findall(r"\bmake +([\w./-]+)", commands))
    assert named and named <= targets


def test_both_sets_pin_an_action_to_the_same_version(bake):
    template, rendered = pins(TEMPLATE), pins(bake())
    shared = template.keys() & rendered.keys()
    assert shared
    assert all(len(template[action] | rendered[action]) == 1 for action in shared)


def test_the_gate_waits_for_every_other_job():
    others = dict(jobs(TEMPLATE))
    gate = others.pop("gate")
    assert set(gate["needs"]) == set(others)


def test_expressions_survive_the_rendering(bake):
    text = (bake() / CHECK).read_text("utf-8")
    assert yaml.safe_load(text)["concurrency"]["group"] == "check-${{ github.ref }}"
    assert not re.search(r"{%|cookiecutter", text)


def test_no_answer_reaches_the_workflow_of_a_rendered_project(bake):
    awkward = "${{ github.token }} '\" \\ : # {% endraw %}"
    others = bake(project_slug="x-2", port="65535", version="1.0rc1")
    texts = bake(project_name=awkward, description=awkward, author_family_names=awkward)
    assert {(project / CHECK).read_bytes() for project in (others, texts)} == {
        (bake() / CHECK).read_bytes()
    }


def test_dependabot_can_read_and_find_the_workflow_before_it_is_rendered():
    settings = yaml.safe_load((TEMPLATE / ".github/dependabot.yml").read_text("utf-8"))
    folders = [TEMPLATE / folder.lstrip("/") for folder in settings["updates"][0]["directories"]]
    inner = folders[1] / "check.yml"
    assert folders[0] == TEMPLATE
    assert "jobs" in yaml.safe_load(inner.read_text("utf-8"))


def test_dependabot_renews_the_images_of_a_rendered_project(bake):
    settings = yaml.safe_load((TEMPLATE / ".github/dependabot.yml").read_text("utf-8"))
    listed = TEMPLATE / settings["updates"][1]["directory"].lstrip("/") / "Dockerfile"
    renewed = re.findall(r"^FROM (\S+)", listed.read_text("utf-8"), re.M)
    dockerfile = (bake() / "Dockerfile").read_text("utf-8")
    used = re.findall(r"^ARG (?:RUNTIME|MICROMAMBA)=(\S+)", dockerfile, re.M)
    services = yaml.safe_load((bake() / "compose.yaml").read_text("utf-8"))["services"]
    used += [one["image"] for one in services.values() if "build" not in one]
    assert len(used) >= 3 and sorted(renewed) == sorted(used)


@pytest.mark.slow
@RUNNER_IS_LINUX
@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        ("added: {{ cookiecutter.port }}", "\n+added: 5000\n"),
        ("", "A project rendered with the default answers stays the same.\n"),
    ],
    ids=["a change", "no change"],
)
def test_the_summary_shows_what_changes_in_a_rendered_project(tmp_path, addition, expected):
    repository, summary = tmp_path / "repository", tmp_path / "summary.md"
    git = ["-C", repository, "-c", "user.name=a", "-c", "user.email=a@b.example"]
    run("git", "init", "--quiet", repository, check=True)
    for folder in ("hooks", "{{cookiecutter.project_slug}}"):
        shutil.copytree(TEMPLATE / folder, repository / folder)
    shutil.copy(TEMPLATE / "cookiecutter.json", repository)
    for change in ("", addition):
        with (repository / "{{cookiecutter.project_slug}}/Makefile").open("a") as file:
            file.write(change and change + "\n")
        run("git", *git, "add", "--all", check=True)
        run("git", *git, "commit", "--quiet", "--allow-empty", "--message=.", check=True)
    (repository / ".venv").mkdir()
    (repository / ".venv/bin").symlink_to(TOOLS)
    _, *steps = scripts(jobs(TEMPLATE)["rendered"])
    for step in steps:
        names = {"HOME": tmp_path, "RUNNER_TEMP": tmp_path, "GITHUB_STEP_SUMMARY": summary}
        result = run_script(step, repository, **names)
        assert result.returncode == 0, result.stdout + result.stderr
    assert expected in summary.read_text("utf-8")


# Stands in for Docker: writes down what is asked, and serves the project in place of an image.
DOCKER = """#!/usr/bin/env python3
import json, os, sys
words = sys.argv[1:]
print(json.dumps(words), file=open(os.environ["ASKED"], "a"))
if words[0] == "login":
    print(sys.stdin.read().strip(), file=open(os.environ["ASKED"], "a"))
if words[:2] == ["buildx", "build"]:
    with open(words[words.index("--metadata-file") + 1], "w") as file:
        json.dump({"containerimage.digest": "sha256:pushed"}, file)
if words[:3] == ["buildx", "imagetools", "inspect"]:
    print("sha256:" + ("base" if "distroless" in words[-1] else "both"))
if words[0] == "save":
    print("layers of", words[-1])
if words[0] == "ps":
    print("0123456789ab")
if words[0] == "port":
    print(f"5000/tcp -> 127.0.0.1:{os.environ['LIVE']}")
if words[0] == "run" and "--detach" not in words:
    os.execv(os.environ["PYTHON"], [os.environ["PYTHON"], "-m", "gunicorn"])
"""


@pytest.fixture
def publishing(bake, tmp_path, serve):
    """Run the scripts of a job of the workflow that publishes, for the tag v0.1.0 of Ada/Square."""
    project = tmp_path / "project"
    shutil.copytree(bake(), project)
    (project / ".venv/bin").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    programs = {
        tmp_path / "bin/docker": DOCKER,
        tmp_path / "bin/gh": DOCKER.replace("words = ", "words = ['gh'] + "),
        project / ".venv/bin/python": f'#!/bin/sh\nexec {sys.executable} "$@"\n',
    }
    for path, text in programs.items():
        path.write_text(text)
        path.chmod(0o755)
    asked = tmp_path / "asked"

    def publish(job: str, folder: Path, live: int = 0, **variables: str) -> list:
        """What was asked of Docker and of GitHub."""
        asked.write_text("")
        names = {"GITHUB_REF_NAME": "v0.1.0", "GITHUB_REPOSITORY": "Ada/Square", "TOKEN": "secret"}
        names |= {"GITHUB_ACTOR": "ada", "GITHUB_SHA": "c0ffee", "ARCHITECTURE": "arm64"}
        names |= {"ASKED": asked, "LIVE": live, "PYTHON": sys.executable} | variables
        names["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        for script in scripts(jobs(project)[job]):
            if script != "make test":
                result = run_script(script, folder, **names)
                assert result.returncode == 0, result.stdout + result.stderr
        lines = asked.read_text("utf-8").splitlines()
        return [json.loads(line) if line[0] == "[" else line for line in lines]

    return project, publish


@pytest.mark.slow
@RUNNER_IS_LINUX
def test_a_tag_pushes_the_image_by_digest_and_replays_the_examples_against_it(publishing, serve):
    project, publish = publishing
    with serve(project) as live:
        asked = publish("images", project, live.port)
    (build,) = [words for words in asked if words[:2] == ["buildx", "build"]]
    base = "gcr.io/distroless/cc-debian13:nonroot@sha256:base"
    output = "type=image,name=ghcr.io/ada/square,push-by-digest=true,name-canonical=true,push=true"
    expected = {f"RUNTIME={base}", "REVISION=c0ffee", "DIRTY=false", output, "linux/arm64"}
    assert expected <= set(build)
    assert build[build.index("--provenance") + 1] == "mode=max"
    assert build[build.index("--sbom") + 1] == "true"
    assert asked[1] == "secret"  # which no command line shows
    pushed = "ghcr.io/ada/square@sha256:pushed"
    assert (project / "image-arm64.txt").read_text() == f"{pushed}\n"
    (replayed,) = [words for words in asked if words[0] == "run" and "--detach" not in words]
    assert replayed[-1] == pushed
    assert json.loads((project / "reproduction-arm64.json").read_text())["outcome"] == "OK"
    saved = gzip.decompress((project / "image-arm64.tar.gz").read_bytes())
    assert saved == b"layers of ghcr.io/ada/square:0.1.0\n"
    assert json.loads((project / "openapi.json").read_text())["openapi"] == "3.1.0"


@pytest.mark.slow
@RUNNER_IS_LINUX
def test_a_tag_that_is_not_the_version_publishes_nothing(publishing):
    project, publish = publishing
    with pytest.raises(
        AssertionError, match=r"The tag is v2, but CITATION\.cff has version 0\.1\.0"
    ):
        publish("images", project, GITHUB_REF_NAME="v2")


@RUNNER_IS_LINUX
def test_the_release_names_both_images_and_keeps_what_was_made(publishing, tmp_path):
    _, publish = publishing
    published = tmp_path / "published"
    published.mkdir()
    for name in ("amd64", "arm64"):
        (published / f"image-{name}.txt").write_text(f"ghcr.io/ada/square@sha256:{name}\n")
    asked = publish("release", tmp_path)
    assert [words for words in asked if words[:3] == ["buildx", "imagetools", "create"]] == [
        [
            *"buildx imagetools create --tag ghcr.io/ada/square:0.1.0".split(),
            *"--tag ghcr.io/ada/square:latest".split(),
            *"ghcr.io/ada/square@sha256:amd64 ghcr.io/ada/square@sha256:arm64".split(),
        ]
    ]
    assert (published / "image.txt").read_text() == "ghcr.io/ada/square@sha256:both\n"
    assert asked[-1][:4] == ["gh", "release", "create", "v0.1.0"]
    assert {f"published/image{end}.txt" for end in ("", "-amd64", "-arm64")} <= set(asked[-1])


class Zenodo(BaseHTTPRequestHandler):
    """Stands in for the part of Zenodo that takes drafts and their files."""

    def answer(self, body: dict) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.command, self.path, self.headers["Authorization"], sent))
        self.send_response(201)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_POST(self) -> None:
        bucket = f"http://localhost:{self.server.server_port}/api/files/bucket"
        self.answer({"links": {"bucket": bucket, "html": "https://zenodo.org/deposit/7"}})

    def do_PUT(self) -> None:
        self.answer({})


@pytest.fixture
def zenodo():
    with HTTPServer(("localhost", 0), Zenodo) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.slow
@RUNNER_IS_LINUX
def test_the_files_of_the_release_become_a_draft_at_zenodo(publishing, tmp_path, zenodo):
    _, publish = publishing
    published, summary = tmp_path / "published", tmp_path / "summary.md"
    published.mkdir()
    (published / "openapi.json").write_text('{"info": {"title": "Square", "version": "0.1.0"}}')
    (published / "image.txt").write_text("ghcr.io/ada/square@sha256:both\n")
    address = f"http://localhost:{zenodo.server_port}"
    asked = publish("archive", tmp_path, ZENODO=address, GITHUB_STEP_SUMMARY=str(summary))
    assert asked == [["gh", "release", "download", "v0.1.0", "--dir", "published"]]
    (made, *kept) = zenodo.asked
    assert made[:3] == ("POST", "/api/deposit/depositions", "Bearer secret")
    about = {"upload_type": "software", "title": "Square", "version": "0.1.0"}
    assert json.loads(made[3]) == {"metadata": about}
    assert kept == [
        ("PUT", f"/api/files/bucket/{path.name}", "Bearer secret", path.read_bytes())
        for path in sorted(published.iterdir())
    ]
    assert summary.read_text() == "Publish the draft: https://zenodo.org/deposit/7\n"


@RUNNER_IS_LINUX
def test_without_a_token_of_zenodo_the_release_is_all(publishing, tmp_path):
    _, publish = publishing
    summary = tmp_path / "summary.md"
    assert publish("archive", tmp_path, TOKEN="", GITHUB_STEP_SUMMARY=str(summary)) == []
    assert "No secret is called ZENODO_TOKEN" in summary.read_text()


def test_the_release_keeps_all_that_the_images_made(bake):
    steps = jobs(bake())["images"]["steps"]
    (kept,) = [step["with"]["path"] for step in steps if "upload-artifact" in step.get("uses", "")]
    assert kept.split() == ["image-*", "reproduction-*", "openapi.json"]


@RUNNER_IS_LINUX
@pytest.mark.parametrize(("size", "status"), [(180_000_000, 0), (180_000_001, 1)])
def test_the_image_job_fails_above_the_budget(bake, tmp_path, size, status):
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\ntest "$*" = "export service" && head -c {size} /dev/zero\n')
    docker.chmod(0o755)
    job = jobs(bake())["image"]
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    summary = tmp_path / "summary.md"
    step = scripts(job)[-1]
    result = run_script(step, tmp_path, PATH=path, GITHUB_STEP_SUMMARY=summary, **job["env"])
    assert result.returncode == status, result.stderr
    assert summary.read_text() == "The image has 180 MB; 180 MB are allowed.\n"
