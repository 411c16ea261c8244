"""The fingerprint through a real Gunicorn, /service-info by its standard, and fetched weights."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import pytest
from conftest import clean_environment, refused_start, swapped

pytestmark = pytest.mark.slow

TEXT = {"type": "string"}
URI = {"type": "string", "format": "uri"}
# What GA4GH service-info 1.0.0 asks for, in our own words.
STANDARD = {
    "type": "object",
    "required": ["id", "name", "type", "organization", "version"],
    "properties": {
        **dict.fromkeys(["id", "name", "description", "version"], TEXT),
        "type": {
            "type": "object",
            "required": ["group", "artifact", "version"],
            "properties": {"group": {"not": {"const": "org.ga4gh"}}, "artifact": TEXT}
            | {"version": TEXT},
        },
        "organization": {
            "type": "object",
            "required": ["name", "url"],
            "properties": {"name": TEXT, "url": URI},
        },
    },
}
CHANGES = {
    "a byte of the model": ("model/square.py", "model"),
    "a file of the model": ("model/new.bin", "model"),
    "a page": ("service/about/templates/index.html", "service"),
    "the description": ("service/about/openapi.yaml", "service"),
    "a line end alone": ("app.py", "service"),
    "the server": ("gunicorn.conf.py", "service"),
}
NO_CHANGES = [
    *["model/examples/more.json", "model/data/raw.csv", "model/look.ipynb", "model/.env"],
    *["model/__pycache__/old.pyc", "service/.netrc", "service/sub/__pycache__/x", "README.md"],
]
# Its answer shows the order of a set, which Python draws anew for every process.
ORDER = """
import os
from pydantic import BaseModel

class Input(BaseModel):
    number: int = 0

class Output(BaseModel):
    order: str
    threads: str

def predict(inputs: Input) -> Output:
    return Output(order=" ".join(set("abcdefghijklmnop")), threads=os.environ["OMP_NUM_THREADS"])
"""


@pytest.fixture
def project(cookies) -> Path:
    return cookies.bake().project_path


@pytest.fixture
def info(serve):
    """What a project's service says of itself."""

    def ask(project: Path, **variables: str) -> dict:
        with serve(project, **variables) as server:
            return json.loads(server.get("/service-info").body)

    return ask


def test_a_changed_byte_changes_the_fingerprint_and_the_part_that_it_names(project, info):
    before = info(project)
    for name, part in CHANGES.values():
        with (project / name).open("ab") as file:
            file.write(b"\n")
        after = info(project)
        assert after["fingerprint"] != before["fingerprint"], name
        differing = {one for one in after["parts"] if after["parts"][one] != before["parts"][one]}
        assert differing == {part}, name
        before = after


@pytest.mark.skipif(sys.platform != "linux", reason="macOS and Windows have no such names")
def test_a_file_whose_name_is_no_utf_8_is_named(project, info):
    with open(os.fsencode(project) + b"/model/\xff.dat", "wb"):  # noqa: PTH123
        assert "model/\\xff.dat" in info(project)["files"]


def test_what_is_no_part_of_the_service_changes_nothing(project, info):
    before = info(project)
    for name in NO_CHANGES:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        with (project / name).open("a") as file:
            file.write('{"request": {"value": 3}}')
    after = info(project)
    assert after["fingerprint"] == before["fingerprint"] and after["files"] == before["files"]


def test_line_ends_of_texts_change_nothing_and_those_of_binaries_all(project, info):
    before = info(project)
    for path in [*project.rglob("*.py"), *project.rglob("*.html"), *project.rglob("*.css")]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert info(project)["parts"] == before["parts"]
    found = set()
    for content in (b"\0\n", b"\0\r\n", b"\xff\n", b"\xff\r\n", b"a\n", b"a\r"):
        (project / "model/weights.bin").write_bytes(content)
        found.add(info(project)["fingerprint"])
    assert len(found) == 6


def test_files_whose_names_and_contents_run_together_differ(project, info):
    found = []
    for names in (["ab", "c"], ["a", "bc"], ["abc"], ["a\nb", "c"], ["é", "c"], ["e\u0301", "c"]):
        for name in names:
            (project / "model" / name).write_bytes(b"")
        found.append(info(project)["fingerprint"])
        for name in names:
            (project / "model" / name).unlink()
    assert len(set(found)) == len(found)


def test_workers_restarts_and_problems_agree(bake, serve, info):
    with serve(bake(), WEB_CONCURRENCY="3") as server:
        targets = ["/api?value=2", "/api?value=two", "/nowhere", "/service-info"] * 10
        found = {server.get(target).headers["Model-Fingerprint"] for target in targets}
    assert found == {info(bake())["fingerprint"]}


@pytest.mark.parametrize(
    ("url", "identifier"),
    [
        ("https://github.com/a-b/c.git", "com.github.a-b.c"),
        ("https://ga4gh.org/", "org.ga4gh.model"),
        ("https://example.org/?a='b'&c=$d#e", "org.example.model"),
    ],
)
def test_it_follows_the_standard(bake, info, url, identifier):
    found = info(bake(repository_url=url))
    jsonschema.validate(found, STANDARD, format_checker=jsonschema.FormatChecker())
    assert found["id"] == identifier


def test_the_build_says_what_was_built_and_nothing_else_of_the_environment(bake, info):
    base = "gcr.io/distroless/cc@sha256:" + 64 * "0"
    told = {"IMAGE_BASE": base, "IMAGE_REVISION": "1e10", "IMAGE_DIRTY": "false"}
    found = info(bake(), **told, MODEL_TOKEN="secret-5f1d", AWS_SECRET="secret-5f1d")
    assert (found["revision"], found["dirty"]) == ("1e10", False)
    assert found["base"] == {"name": "gcr.io/distroless/cc", "digest": "sha256:" + 64 * "0"}
    assert found["parts"]["base"] != info(bake())["parts"]["base"]
    assert "secret-5f1d" not in str(found) and str(bake()) not in str(found)


def test_git_says_it_where_the_checkout_runs(project, info):
    def git(*words: str, folder: Path = project) -> str:
        who = {f"GIT_{a}_{b}": "x@y" for a in ("AUTHOR", "COMMITTER") for b in ("NAME", "EMAIL")}
        command = ["git", "-C", folder, *words]
        return subprocess.run(
            command, env=os.environ | who, check=True, capture_output=True, text=True
        ).stdout.strip()

    before = info(project)
    assert (before["revision"], before["dirty"]) == ("unknown", "unknown")
    for folder in (project.parent, project):
        git("init", "-q", folder=folder)
        assert info(project)["revision"] == "unknown"  # the repository around it is not its own
        git("add", "-A", folder=folder)
        git("commit", "-qm", "State", folder=folder)
        assert (info(project)["revision"] == "unknown") == (folder != project)
    clean = info(project)
    assert (clean["revision"], clean["dirty"]) == (git("rev-parse", "HEAD"), False)
    assert clean["fingerprint"] == before["fingerprint"]
    (project / "new").touch()
    assert info(project)["dirty"] is True
    assert info(project, PATH="/nowhere")["revision"] == "unknown"


def make_programs(project: Path) -> None:
    """The programs that make would install into the project."""
    (project / ".venv/bin").mkdir(parents=True)
    program = project / ".venv/bin/python"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    (project / ".venv/ready").touch()


def test_two_processes_and_their_workers_give_the_same_bytes(project, serve):
    project = swapped(project, ORDER, records=False)
    make_programs(project)
    make = ("-c", "import os; os.execvp('make', ['make', 'serve'])")
    found = []
    for variables in [{}, {}, {"PYTHONHASHSEED": "1"}]:
        with serve(project, *make, MODEL_CHECK="false", **variables) as server:
            (answer,) = {server.get("/api").body for _ in range(10)}
        found.append(answer)
    assert found[0] == found[1] != found[2]
    assert json.loads(found[0])["threads"] == "1"
    with serve(project, MODEL_CHECK="false", OMP_NUM_THREADS="3") as server:
        assert json.loads(server.get("/api").body)["threads"] == "3"
    with serve(project, "-m", "flask", "run", "--port", "PORT", MODEL_CHECK="false") as server:
        assert json.loads(server.get("/api").body)["threads"] == "1"


def test_what_make_records_is_reproduced(project):
    project = swapped(project, ORDER, records=False)
    (project / "model/examples/one.json").write_text('{"request": {}}')
    make_programs(project)
    variables = clean_environment()
    subprocess.run(["make", "record"], cwd=project, env=variables, check=True)
    command = [".venv/bin/python", "-m", "flask", "reproduce", "--local"]
    subprocess.run(command, cwd=project, env=variables, check=True)


# Weights


class Publisher(http.server.BaseHTTPRequestHandler):
    """Gives a file, one that breaks off, or none."""

    content = bytes(range(256)) * 4000

    def do_GET(self):
        """Answer, and count."""
        self.server.asked += 1
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        broken = self.path == "/broken"
        self.wfile.write(self.content[: len(self.content) // 2 if broken else None])

    def log_message(self, *words):
        """Say nothing."""


@pytest.fixture
def publisher():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher) as server:
        server.asked = 0
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


def entry(publisher, path: str = "/weights", **changes: object) -> dict:
    found = {
        "file": "net/weights.bin",
        "url": f"http://127.0.0.1:{publisher.server_address[1]}{path}",
        "sha256": hashlib.sha256(Publisher.content).hexdigest(),
        "bytes": len(Publisher.content),
        "license": "CC-BY-4.0",
    }
    return found | changes


def listing(project: Path, *entries: dict) -> Path:
    """List files in the manifest; the path of the first."""
    (project / "model/weights.json").write_text(json.dumps(entries))
    return project / "model" / entries[0]["file"]


def fetch(project: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, *options, "service/proof/weights.py"]
    environment = clean_environment()
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)


def left(project: Path) -> list[str]:
    """What is in the folder of the weights."""
    folder = project / "model/net"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_weights_are_fetched_once_and_then_named(project, publisher, info):
    path = listing(project, entry(publisher))
    said = refused_start(project)
    assert "model/net/weights.bin is missing; type: make weights" in said
    assert fetch(project).returncode == 0
    assert path.read_bytes() == Publisher.content
    asked = publisher.asked
    publisher.shutdown()
    assert fetch(project).returncode == 0 and publisher.asked == asked
    found = info(project)["files"]["model/net/weights.bin"]
    assert found == {key: value for key, value in entry(publisher).items() if key != "file"}
    assert left(project) == ["weights.bin"]


def test_a_listed_text_is_taken_to_the_byte(project, publisher):
    text = b"1,2\r\n"
    told = {"sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text), "file": "w.csv"}
    path = listing(project, entry(publisher, **told))
    path.write_bytes(text)
    assert fetch(project).returncode == 0
    path.write_bytes(text.replace(b"\r\n", b"\n"))
    assert "model/w.csv has the sha256" in refused_start(project)


def test_a_file_that_is_another_is_kept_and_both_hashes_are_said(project, publisher):
    path = listing(project, entry(publisher))
    path.parent.mkdir()
    path.write_bytes(b"mine")
    for said in (fetch(project).stderr, refused_start(project)):
        assert "model/net/weights.bin" in said and "Traceback" not in said
        assert hashlib.sha256(b"mine").hexdigest() in said
        assert entry(publisher)["sha256"] in said
    assert path.read_bytes() == b"mine" and publisher.asked == 0


def test_a_length_that_is_another_is_said(project, publisher):
    listing(project, entry(publisher, bytes=99))
    for said in (fetch(project).stderr, refused_start(project)):
        assert f"({len(Publisher.content)} bytes)" in said and "(99 bytes)" in said


@pytest.mark.parametrize(
    ("path", "changes", "words"),
    [
        ("/weights", {"sha256": "0" * 64}, ["0" * 64, "but got"]),
        ("/none", {}, ["404"]),
        ("/broken", {}, ["could not be fetched"]),
        ("/weights", {"url": "http://127.0.0.1:9/x"}, ["http://127.0.0.1:9/x"]),
        ("/weights", {"url": "nonsense"}, ["nonsense"]),
    ],
)
def test_a_fetch_that_fails_says_why_and_leaves_nothing(project, publisher, path, changes, words):
    listing(project, entry(publisher, path, **changes))
    result = fetch(project)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    for word in ["model/net/weights.bin", *words]:
        assert word in result.stderr
    assert left(project) == []


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "nonsense",
        '[{"file": "x"}]',
        *[
            json.dumps([{"file": f, "url": "u", "sha256": "0" * 64, "bytes": 1, "license": "x"}])
            for f in ("../x", "/etc/x", ".x", "a/../x", "a\\x", "", "C:x")
        ],
    ],
)
def test_a_list_that_cannot_be_meant_stops_with_its_place(project, text):
    (project / "model/weights.json").write_text(text)
    for said in (fetch(project).stderr, refused_start(project)):
        (line,) = [line for line in said.splitlines() if "model/weights.json: " in line]
        assert line.endswith("; docs/model.md shows how to write it.") and "Traceback" not in said


def test_two_fetches_at_once_agree(project, publisher):
    path = listing(project, entry(publisher))
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: fetch(project), range(3)))
    assert [result.returncode for result in results] == [0, 0, 0]
    assert path.read_bytes() == Publisher.content and left(project) == ["weights.bin"]


def test_a_folder_that_cannot_be_written_is_said(project, publisher):
    path = listing(project, entry(publisher))
    path.parent.write_bytes(b"")  # a file in its place, since root may write everywhere
    result = fetch(project)
    assert "model/net/weights.bin could not be fetched" in result.stderr
    assert "Traceback" not in result.stderr and publisher.asked == 0


def test_without_pooch_it_says_what_to_add(project, publisher):
    listing(project, entry(publisher))
    program = "import runpy, sys; sys.modules['pooch'] = None; "
    program += "runpy.run_path('service/proof/weights.py', run_name='__main__')"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=project, capture_output=True, text=True
    )
    assert "add pooch>=1.8,<2 to environment.yml" in result.stderr


def test_a_large_file_that_is_not_listed_is_pointed_to_the_list(project, serve):
    with (project / "model/large.bin").open("wb") as file:
        file.truncate(50_000_001)
    with serve(project) as server:
        assert "model/large.bin is large for git: list it" in server.log.read_text()
