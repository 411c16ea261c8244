"""Random requests, sound and broken, through a real Gunicorn: all are answered well and in time.

A run prints its seed. FUZZ_SEED=1234 makes the same requests again.
"""

import contextlib
import json
import os
import random
import re
import secrets
import socket
import string
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from conftest import Server, wait_until
from samples import need, put_in, recorded

pytestmark = pytest.mark.slow

SEED = os.environ.get("FUZZ_SEED") or secrets.token_hex(4)
SERVED = {"square": {"value": 12}} | {
    name: next(iter(recorded(name).values()))["request"]
    for name in ("cells", "predators", "readability")
}
REQUESTS = 5_000  # for each of the models
CLIENTS = 4
LONGEST = 2  # seconds for an exchange
GROWTH = 200_000_000  # bytes by which a process may grow
REACHED = {200, 400, 404, 405, 415, 422}  # statuses that a run without them would not test
RIGHT = {501, 503, 505}  # the statuses of a server's fault that are none

ROUTES = "/ /api /api/batch /openapi.json /examples /service-info /citation /healthz /readyz"
PATHS = [*ROUTES.split(), "/metrics", "/static/style.css", "/static/../app.py", "/%61pi", "//api"]
PATHS += ["*", "/nowhere", "/é", "/%", "/%00", "/static/%2e%2e/app.py", "http://a/api", "/;/..;/"]
METHODS = "GET HEAD POST OPTIONS PUT DELETE PATCH TRACE CONNECT get PRI X-Y".split()
KINDS = ["application/json", "text/csv", "multipart/form-data; boundary=b"]
OTHER_KINDS = ["", "text/plain", "multipart/form-data", "application/json; charset=utf-16", "/;="]
HEADERS = """
Accept: text/html
Accept: image/png, */*;q=0
Accept: ;q=x,,a/b;q=9
Accept-Encoding: gzip
Connection: close
Connection: upgrade
Connection: keep-alive, TE
Content-Encoding: gzip
Content-Type: a/b, c/d
Cookie: a=b; c
Expect: 100-continue
Expect: nothing
Forwarded: for=1;proto=ftp
Host: a, b
HTTP2-Settings: AAMAAABkAAQAAP__
If-Match: *
If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT
If-None-Match: *
If-None-Match: "a", W/"b"
If-Modified-Since: Thu, 32 Foo 2026
Origin: null
Range: bytes=0-1,5-
Script-Name: /a
SCRIPT_NAME: /a
TE: trailers
Upgrade: h2c
X-Forwarded-Proto: https
X-Forwarded-For: 1.2.3.4
X-HTTP-Method-Override: DELETE
X-Request-ID: a b
""".strip().splitlines()
NUMBERS = ["0", "-1", "1e999", "-0.0", "1E+2", "0x10", "NaN", "Infinity", "9" * 5000, "1.", "00"]
TEXTS = ['""', '"\\ud800"', '"\\u0000"', '"é\u2028"', '"12"', '"' + "x" * 5000 + '"', '"\\x"']
OTHERS = ["null", "true", "[]", "{}", "[" * 3000, '{"a":' * 2000, "[[1,2],[3]]", "nul", ""]
# What is put into a request to break it
TOKENS = ["\r\n", "\n", "\r\n\r\n", "\0", ":", " ", ",", '"', "{", "]", "\\", ";", "--b", "--b--"]
TOKENS += ["HTTP/1.1", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "é"]
TOKENS += ["Transfer-Encoding: chunked, identity\r\n", "ffffffffffffffff\r\n", "\xff\xfe", "%s"]
HEAD = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]+\r\n((?:[\w-]+: [^\r\n\0]*\r\n)*)\r\n")


class Grammar:
    """Requests for a model, made by chance around an input that it takes."""

    def __init__(self, chance: random.Random, sound: dict) -> None:
        self.chance, self.sound = chance, sound

    def seldom(self, share: float) -> bool:
        """Whether something happens that does so in this share of the cases."""
        return self.chance.random() < share

    def value(self) -> str:
        """A value in JSON, or nearly."""
        return self.chance.choice(self.chance.choice([NUMBERS, TEXTS, OTHERS]))

    def name(self) -> str:
        """The name of a field, or of none."""
        return self.chance.choice([*self.sound, *self.sound, "", "nothing", "value.0", "é", "["])

    def members(self) -> dict[str, str]:
        """Inputs as JSON by name, most of them sound."""
        found = {name: json.dumps(value) for name, value in self.sound.items()}
        while self.seldom(0.4):
            found[self.name()] = self.value()
        while self.seldom(0.1):
            found.pop(self.name(), None)
        return found

    def object(self) -> str:
        """Inputs as a JSON object; a name may come twice."""
        parts = [f"{json.dumps(name)}: {value}" for name, value in self.members().items()]
        if self.seldom(0.1):
            parts += self.chance.choices(parts or ["1"], k=self.chance.randint(1, 300))
        return "{" + ", ".join(parts) + "}" if self.seldom(0.9) else self.value()

    def array(self) -> str:
        """A batch as JSON."""
        rows = [self.object() for _ in range(self.chance.choice([0, 1, 2, 5, 50]))]
        return "[" + ",".join(rows) + "]"

    def cell(self, value: str) -> str:
        """A text as tables, links and forms have it."""
        return value[1:-1] if value.startswith('"') and self.seldom(0.9) else value

    def table(self) -> str:
        """A batch as CSV."""
        end = self.chance.choice(["\n", "\r\n", "\r"])
        names = [*self.members()]
        rows = [map(self.cell, self.members().values()) for _ in range(self.chance.randint(0, 9))]
        quoted = (
            f'"{cell}"' if self.seldom(0.5) else cell for row in [names, *rows] for cell in row
        )
        cells, width = list(quoted), max(1, len(names))
        lines = [",".join(cells[n : n + width]) for n in range(0, len(cells), width)]
        return self.chance.choice(["", "", "\ufeff", end]) + end.join(lines)

    def form(self) -> str:
        """Inputs as multipart/form-data."""
        parts = []
        for name, value in self.members().items():
            file = self.chance.choice(["", '; filename="a.png"', "; filename*=utf-8''%ff"])
            kind = self.chance.choice(["", "Content-Type: text/plain; charset=utf-16\r\n"])
            head = f'Content-Disposition: form-data; name="{name}"{file}\r\n{kind}'
            parts.append(f"--b\r\n{head}\r\n{self.cell(value)}\r\n")
        return "".join(parts) + ("--b--\r\n" if self.seldom(0.9) else "")

    def body(self, kind: str) -> bytes:
        """A body of a media type, or of another."""
        makers = {
            KINDS[0]: [self.object, self.array],
            KINDS[1]: [self.table],
            KINDS[2]: [self.form],
        }
        likely = makers.get(kind, [])
        maker = self.chance.choice(likely * 8 + [self.object, self.array, self.table, self.form])
        text = maker() + " " * (10 ** self.chance.randint(4, 6) if self.seldom(0.01) else 0)
        data = text.encode("utf-8", "surrogatepass")
        return self.broken(data) if self.seldom(0.2) else data

    def target(self) -> str:
        """A path, with a query if it takes one."""
        path = self.chance.choice(PATHS if self.seldom(0.5) else ["/api"])
        if self.seldom(0.6):
            pairs = self.members().items()
            texts = [f"{quote_plus(n)}={quote_plus(self.cell(v)[:2000])}" for n, v in pairs]
            path += (
                "?" + "&".join(texts)[:7000] + self.chance.choice(["", "", "&", "&%ff=%zz", "#a"])
            )
        return path

    def request(self) -> tuple[str, bytes]:
        """A request whose end is where it says, and its method."""
        method = self.chance.choice(METHODS if self.seldom(0.4) else ["GET", "POST", "POST"])
        target = self.target()
        lines = [self.chance.choice(HEADERS) for _ in range(self.chance.choice([0, 0, 1, 2, 4]))]
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *lines]
        body = b""
        if method == "POST" or self.seldom(0.1):
            kind = self.chance.choice(KINDS * 3 + OTHER_KINDS)
            if method == "POST" and self.seldom(0.8):
                lines[0] = f"POST {'/api/batch' if kind == KINDS[1] else '/api'} HTTP/1.1"
            body = self.body(kind)
            framing = f"Content-Length: {len(body)}"
            if self.seldom(0.3):
                framing, body = "Transfer-Encoding: chunked", self.chunks(body)
            lines += [f"Content-Type: {kind}", framing]
        return method, "\r\n".join([*lines, "", ""]).encode() + body

    def chunks(self, body: bytes) -> bytes:
        """A body in chunks, with extensions and trailers."""
        data, size = b"", self.chance.choice([1, 7, 1000, 100_000])
        size = max(size, len(body) // 100)
        for part in (body[n : n + size] for n in range(0, len(body), size)):
            data += f"{len(part):x}{self.chance.choice(['', ';a=b', ';c'])}\r\n".encode()
            data += part + b"\r\n"
        return data + b"0\r\n" + self.chance.choice([b"", b"", b"A: b\r\n"]) + b"\r\n"

    def broken(self, data: bytes) -> bytes:
        """Something with a few bytes changed, lost, repeated or added."""
        for _ in range(self.chance.choice([1, 1, 2, 5])):
            place = self.chance.randint(0, min(len(data), self.chance.choice([60, 600, 10**7])))
            size = self.chance.choice([1, 1, 4, 100])
            token = self.chance.choice([*TOKENS, *NUMBERS, self.chance.choice(string.printable)])
            put = [token.encode(), data[place : place + size] * 3, b""]
            kept = data[place + self.chance.choice([0, size]) :]
            data = data[:place] + self.chance.choice(put) + (kept if self.seldom(0.9) else b"")
        return data


class Incomplete(Exception):
    """An answer has not come whole yet."""


def answers(stream: bytes, methods: list[str]) -> list[tuple[int, dict]]:
    """Read the answers in a stream, each of which must be well-formed.

    :raise Incomplete: if the last one is not whole
    """
    place, found = 0, []
    while place < len(stream):
        if not (head := HEAD.match(stream, place)):
            assert b"\r\n\r\n" not in stream[place:], stream[place : place + 500]
            raise Incomplete
        place, status = head.end(), int(head[1])
        if status == 100:
            continue
        lines = head[2].decode("latin-1").split("\r\n")[:-1]
        headers = dict(line.lower().split(": ", 1) for line in lines)
        method = methods[len(found)] if len(found) < len(methods) else ""
        length = 0 if method == "HEAD" or status == 304 else int(headers.get("content-length", 0))
        if place + length > len(stream):
            raise Incomplete
        check(method, status, headers, stream[place : place + length])
        found.append((status, headers))
        place += length
    return found


def check(method: str, status: int, headers: dict, body: bytes) -> None:
    """Check an answer: no fault of the service, and what its media type promises."""
    assert status < 500 or status in RIGHT, (status, body)
    assert "x-request-id" in headers and "model-fingerprint" in headers, headers
    assert "transfer-encoding" not in headers
    if status >= 400 and method != "HEAD":
        assert headers["content-type"] == "application/problem+json" and len(body) <= 65_536
        document = json.loads(body)
        assert document["status"] == status and document["title"]
    elif body and "json" in headers["content-type"]:
        json.loads(body, parse_constant=pytest.fail)


class Client:
    """A client that sends groups of requests, on a connection that it keeps or breaks."""

    def __init__(self, server: Server, name: str, number: int) -> None:
        chance = random.Random(f"{SEED} {name} {number}")
        self.grammar, self.chance, self.server = Grammar(chance, SERVED[name]), chance, server
        self.connection, self.statuses, self.faults = None, Counter(), []

    def run(self, requests: int) -> None:
        """Send so many requests; count the statuses, and note what is wrong with an answer."""
        while requests > 0:
            group = [self.grammar.request() for _ in range(self.chance.choice([1, 1, 1, 3, 8]))]
            requests -= len(group)
            methods, sent = [method for method, _ in group], b"".join(text for _, text in group)
            if self.grammar.seldom(0.4):
                methods, sent = [], self.grammar.broken(sent.replace(b"HEAD ", b"GET "))
            start = time.monotonic()
            try:
                self.statuses.update(self.exchange(sent, methods))
                assert time.monotonic() - start < LONGEST, "it took too long"
            except (AssertionError, OSError, ValueError) as error:
                self.faults.append(f"{error!r:.1000} for {sent[:1500]}")
                self.close()
        self.close()

    def exchange(self, sent: bytes, methods: list[str]) -> list[int]:
        """Send requests, and give the statuses of their answers; broken ones have no methods."""
        if self.connection is None or not methods:
            self.close()
            self.connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
        with contextlib.suppress(ConnectionError):  # it may be refused before all is sent
            self.connection.sendall(sent)
            if not methods:
                self.connection.shutdown(socket.SHUT_WR)
        stream, found, is_last, part = b"", [], False, b"."
        while part and not is_last and (not methods or len(found) < len(methods)):
            part = self.receive()
            stream += part
            with contextlib.suppress(Incomplete):
                found = answers(stream, methods)
                is_last = bool(found) and "close" in found[-1][1].get("connection", "")
        assert found or not stream, stream[-500:]
        assert is_last or not methods or len(found) == len(methods), (found, stream[-500:])
        if is_last or not part:
            self.close()
        return [status for status, _ in found]

    def receive(self) -> bytes:
        """Receive some bytes; none if the connection has ended."""
        try:
            return self.connection.recv(2**18)
        except ConnectionError:
            return b""

    def close(self) -> None:
        """Close the connection, if one is open."""
        if self.connection:
            self.connection.close()
            self.connection = None


def peaks(server: Server) -> dict[int, int]:
    """The most memory that each process of a server has taken so far (bytes)."""
    found = {}
    for process in server.services() | server.models() | {server.keeper()}:
        text = Path(f"/proc/{process}/status").read_text()
        found[process] = int(re.search(r"VmHWM:\s+(\d+)", text)[1]) * 1024
    return found


@pytest.mark.parametrize("name", SERVED)
def test_every_request_has_a_good_answer_in_time(cookies, serve, name):
    print(f"FUZZ_SEED={SEED}")
    project = cookies.bake().project_path
    if name != "square":
        need(name)
        put_in(project, name)
    with serve(project, MODEL_PROCESSES="2") as server:
        clients = [Client(server, name, number) for number in range(CLIENTS)]
        wait_until(lambda: len(server.services()) == len(server.models()) == 2)
        before = peaks(server)
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(Client.run, clients, [REQUESTS // CLIENTS] * CLIENTS))
        faults = [fault for client in clients for fault in client.faults]
        assert not faults, "\n".join([f"FUZZ_SEED={SEED}: {len(faults)} faults", *faults[:20]])
        statuses = sum((client.statuses for client in clients), Counter())
        assert statuses.total() > REQUESTS / 3 and statuses.keys() >= REACHED, statuses
        print(statuses)
        after = peaks(server)
        assert after.keys() == before.keys(), "a process ended"
        assert all(after[one] - before[one] < GROWTH for one in after), (before, after)
        assert server.get("/healthz").status == 200
        assert "Traceback" not in server.log.read_text()
