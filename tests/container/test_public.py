"""`docker compose --profile public up`: HTTPS, a password, replicas, and no request lost."""

import base64
import http.client
import json
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest
from conftest import missing

HTTP_OPTIONS = {"host": "localhost", "timeout": 60}
UP = ["--profile", "public", "up", "--detach"]
# Long enough that some are always under way
SLOW = """
import time

fast_predict = predict


def predict(inputs):
    time.sleep(0.2)
    return fast_predict(inputs)
"""
HASH = ["caddy", "hash-password", "--bcrypt-cost", "4"]
RECEIVED = "print(open('/sys/class/net/eth0/statistics/rx_bytes').read())"


class Stack:
    """The project under `docker compose`, with its settings in .env, called as localhost."""

    def __init__(self, engine, project: Path) -> None:
        self.engine, self.project = engine, project
        self.trust = ssl.create_default_context()

    def __call__(self, *arguments: str, **options: object) -> str:
        return self.engine("compose", *arguments, cwd=self.project, **options)

    def up(self, *options: str, **settings: object) -> None:
        """Bring it up with these settings, and learn to trust its certificate."""
        lines = [f"{name}='{value}'\n" for name, value in settings.items()]
        (self.project / ".env").write_text("".join(lines))
        self(*UP, "--wait", *options)
        authority = self.project.parent / "root.crt"
        name = f"{self.containers('proxy')[0]}:/data/caddy/pki/authorities/local/root.crt"
        for _ in range(100):
            if self.engine.run("cp", name, authority).returncode == 0:
                break
            time.sleep(0.1)
        self.trust = ssl.create_default_context(cafile=authority)
        for _ in range(100):  # until the certificate is there
            with suppress(OSError):
                self.ask("/healthz")
                return
            time.sleep(0.1)

    def containers(self, service: str) -> list[str]:
        return self("--profile", "public", "ps", "--quiet", service).splitlines()

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(**HTTP_OPTIONS, context=self.trust)

    def ask(self, path: str, method: str = "GET", **more) -> http.client.HTTPResponse:
        connection = self.connect()
        connection.request(method, path, **more)
        answer = connection.getresponse()
        answer.body = answer.read()
        connection.close()
        return answer

    @contextmanager
    def load(self, callers: int = 8) -> Iterator[Counter]:
        """Ask without a pause, by GET and POST, on kept connections; count the answers."""
        answers, stop = Counter(), threading.Event()

        def call(arguments: tuple) -> None:
            connection = self.connect()
            while not stop.is_set():
                try:
                    connection.request(*arguments)
                    answer = connection.getresponse()
                    answers[answer.status, answer.read()] += 1
                except (OSError, http.client.HTTPException) as error:
                    answers[repr(error)] += 1
                    connection.close()
            connection.close()

        kind = {"Content-Type": "application/json"}
        kinds = [("GET", "/api?value=12"), ("POST", "/api", '{"value": 12}', kind)]
        threads = [threading.Thread(target=call, args=[kinds[n % 2]]) for n in range(callers)]
        for thread in threads:
            thread.start()
        time.sleep(2)
        yield answers
        time.sleep(2)
        stop.set()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def stack(engine, bases, project, tmp_path_factory) -> Iterator[Stack]:
    folder = Path(shutil.copytree(project, tmp_path_factory.mktemp("public") / "square-api"))
    with (folder / "model/__init__.py").open("a") as model:
        model.write(SLOW)
    stack = Stack(engine, folder)
    yield stack
    stack("--profile", "public", "down", "--volumes", "--timeout", "2")


@pytest.fixture
def public(stack) -> Stack:
    """Three replicas behind the web server, open to all."""
    stack.up("--build", DOMAIN="localhost", REPLICAS=3)
    return stack


def test_the_domain_alone_gives_https_with_https_in_its_links(public):
    answer = public.ask("/")
    assert answer.status == 200
    assert "https://localhost/api" in answer.body.decode()
    assert "http://localhost" not in answer.body.decode()


def test_no_caller_can_say_where_the_service_is(public):
    lies = {
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "proto=http",
    }
    page = public.ask("/", headers=lies).body.decode()
    assert "https://localhost/api" in page and "evil.example" not in page


def test_nobody_sees_what_the_service_counts(public):
    for path in ("/metrics", "/%6detrics"):
        assert public.ask(path).status == 404


def test_http_leads_to_https(public):
    connection = http.client.HTTPConnection(**HTTP_OPTIONS)
    connection.request("GET", "/api?value=12")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (308, "https://localhost/api?value=12")


def test_only_the_web_server_is_open_to_other_machines(public, engine):
    found = {}
    for service in ("proxy", "service"):
        for container in public.containers(service):
            lines = engine("port", container).splitlines()
            found.setdefault(service, set()).update(line.split(" -> ")[1] for line in lines)
    assert all(address.startswith("127.0.0.1:") for address in found["service"])
    assert {re.sub(r".*:", "", address) for address in found["proxy"]} == {"80", "443"}


def test_no_container_has_rights_that_it_does_not_need(public, engine):
    for service in ("proxy", "service"):
        for container in public.containers(service):
            host = json.loads(engine("inspect", "--format", "{{json .HostConfig}}", container))
            added = host["CapAdd"] or []
            assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"]
            assert host["SecurityOpt"] == ["no-new-privileges:true"]
            assert [name.removeprefix("CAP_") for name in added] == (
                ["NET_BIND_SERVICE"] if service == "proxy" else []
            )
            assert host["Memory"] and host["PidsLimit"] == {"proxy": 1000, "service": 4000}[service]
            assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}


def test_every_replica_takes_a_share(public, engine):
    replicas = public.containers("service")
    assert len(replicas) == 3
    before = [received(engine, replica) for replica in replicas]
    with public.load() as answers:
        pass
    shares = [
        received(engine, replica) - was for replica, was in zip(replicas, before, strict=True)
    ]
    assert min(shares) > sum(shares) / 10, shares
    only_answers(answers)


def received(engine, container: str) -> int:
    """Bytes that came into a container."""
    return int(engine("exec", container, "python", "-c", RECEIVED))


def only_answers(answers: Counter) -> None:
    assert sum(answers.values()) > 20
    assert set(answers) == {(200, b'{"Value Squared":144}\n')}, answers


def test_a_killed_replica_costs_no_request(public, engine):
    with public.load() as answers:
        engine("kill", public.containers("service")[0])
        time.sleep(3)
    assert len(public.containers("service")) == 2
    only_answers(answers)


@pytest.mark.parametrize("replicas", [1, 3])
def test_an_update_costs_no_request(public, replicas):
    public.up("--build", DOMAIN="localhost", REPLICAS=replicas)
    before = set(public.containers("service"))
    web_server = public.containers("proxy")
    with (public.project / "model/__init__.py").open("a") as model:
        model.write(f"\n# {time.time()}\n")
    with public.load() as answers:
        public(*UP, "--build")
    after = set(public.containers("service"))
    assert len(after) == replicas and not after & before
    assert public.containers("proxy") == web_server
    only_answers(answers)


CHUNKED = ["--header", "Transfer-Encoding: chunked"]


@pytest.mark.parametrize("path", ["/api", "/nowhere"])
@pytest.mark.parametrize("framing", [[], CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_a_body_that_is_refused_gets_its_answer(public, tmp_path, version, framing, path):
    if not shutil.which("curl"):
        missing("curl")
    (tmp_path / "body").write_bytes(bytes(11_000_000))
    body = ["--header", "Content-Type: application/json", "--data-binary", "@body"]
    trust = ["--cacert", public.project.parent / "root.crt"]
    for _ in range(20):
        command = ["curl", "-sS", version, *framing, *body, *trust, f"https://localhost{path}"]
        answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout)["status"] == (413 if path == "/api" else 404)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_over_10_mb_is_refused_in_a_problem_document(public, chunked):
    body, kind = bytes(11_000_000), {"Content-Type": "application/json"}
    pieces = (body[n : n + 65536] for n in range(0, len(body), 65536))
    answer = public.ask("/api", "POST", body=pieces if chunked else body, headers=kind)
    assert (answer.status, answer.headers["Content-Type"]) == (413, "application/problem+json")


def test_a_thousand_uploads_that_stop_short_fit_into_the_memory_of_the_web_server(public, engine):
    before = public.containers("proxy")
    head = "POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    start = f"{head}Content-Length: 9900000\r\n\r\n".encode() + b" " * 300_000
    with ExitStack() as uploads:
        for _ in range(1000):
            upload = uploads.enter_context(closing(public.connect()))
            upload.connect()
            with suppress(OSError):  # the slowest may have to leave
                upload.sock.settimeout(0.2)
                upload.sock.sendall(start)
        assert public.ask("/api?value=12").status == 200
        used = engine("stats", "--no-stream", "--format", "{{.MemPerc}}", before[0])
        assert float(used.rstrip("%")) < 80, used
    (state,) = json.loads(engine("inspect", before[0]))
    assert not state["State"]["OOMKilled"] and public.containers("proxy") == before


def test_a_body_of_10_mb_is_answered(public):
    body = b'{"value": 12}'.ljust(10_000_000)
    kind = {"Content-Type": "application/json"}
    assert public.ask("/api", "POST", body=body, headers=kind).status == 200


def test_the_password_is_asked_for_when_there_is_one(public):
    words = "correct horse $HOME 'battery' שלום"
    output = public(*["run", "-T", "--rm", "--no-deps", "proxy", *HASH], input=f"{words}\n")
    digest = re.search(r"^\$\S+$", output, re.M)[0]
    public.up(DOMAIN="localhost", REPLICAS=3, PASSWORD_HASH=digest)
    for headers in ({}, credentials("reader", "wrong"), credentials("other", words)):
        answer = public.ask("/api?value=12", headers=headers)
        assert answer.status == 401 and "Basic" in answer.headers["WWW-Authenticate"]
        assert json.loads(answer.body)["title"] == "Unauthorized"
    assert public.ask("/api?value=12", headers=credentials("reader", words)).status == 200
    # With the hash that Caddy computes by default, each would take a second of a core.
    for user in ("reader", "other"):
        start = time.monotonic()
        for number in range(50):
            answer = public.ask("/healthz", headers=credentials(user, f"{number}"))
            assert answer.status == 401 and "Basic" in answer.headers["WWW-Authenticate"]
        assert time.monotonic() - start < 20


def credentials(user: str, password: str) -> dict[str, str]:
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def test_certificates_outlive_the_containers(public):
    before = (public.project.parent / "root.crt").read_text()
    public("--profile", "public", "down")
    public.up(DOMAIN="localhost")
    assert (public.project.parent / "root.crt").read_text() == before


def test_without_a_domain_the_web_server_says_what_to_write(public, engine):
    command = ["compose", "run", "-T", "--rm", "--no-deps", "-e", "DOMAIN", "proxy"]
    (public.project / ".env").unlink()
    answer = engine.run(*command, cwd=public.project)
    assert answer.returncode != 0
    assert "write domain=model.example.org into .env" in answer.stdout


def test_the_web_servers_own_check_finds_no_fault(public):
    command = ["caddy", "validate", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
    output = public("run", "-T", "--rm", "--no-deps", "proxy", *command)
    assert "Valid configuration" in output
    assert "not formatted" not in output
