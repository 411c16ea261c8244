"""How fast the service is, beside FastAPI and the app that this template had in 2019.

`make bench-quick` measures all servers in turn, in rounds, on one machine: what else runs there
disturbs all of them, so only ratios count. A ratio is the median of those within each round.
Linux only, with wrk.
"""

import argparse
import compileall
import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from importlib.metadata import version
from pathlib import Path
from statistics import median

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).parents[1]
TABLES = TEMPLATE / "benchmarks/README.md"
START, END = "<!-- speed -->\n", "<!-- /speed -->"
PEER = TEMPLATE / ".venv/bench-fastapi"
# What answers a request there; pydantic is the same as in the service.
PINS = (
    "fastapi==0.165.0 starlette==1.10.0 uvicorn[standard]==0.54.0 uvloop==0.23.0 httptools==0.9.0"
)
PINS += f" pydantic=={version('pydantic')}"
SEED = """
import json
from flask import Flask, request
app = Flask(__name__)
@app.route("/")
def home():
    return "Square API"
@app.route("/api")
def square():
    return json.dumps({"Value Squared": int(request.args.get("value")) ** 2})
"""
FASTAPI = """
from fastapi import FastAPI
from pydantic import BaseModel, Field
app = FastAPI()
class Input(BaseModel):
    value: int
class Output(BaseModel):
    squared: int = Field(serialization_alias="Value Squared")
@app.get("/api")
def square(value: int) -> Output:
    return Output(squared=value**2)
@app.post("/api/batch")
def batch(rows: list[Input]) -> list[Output]:
    return [Output(squared=row.value**2) for row in rows]
"""
BARE = """
from flask import Flask, request
from pydantic import BaseModel
app = Flask(__name__)
class Input(BaseModel):
    value: int
@app.get("/api")
def square():
    return {"Value Squared": Input.model_validate(request.args.to_dict()).value ** 2}
"""
IN_PROCESS = """
import sys, timeit
from pathlib import Path
from werkzeug.test import EnvironBuilder
from app import app
environ = EnvironBuilder(path="/api", query_string="value=7").get_environ()
def call():
    told = []
    answer = app(dict(environ), lambda status, headers, failure=None: told.append(status))
    body = b"".join(answer)
    getattr(answer, "close", int)()
    return told[0], body
status, body = call()
assert status.startswith("200") and b"49" in body, (status, body)
Path(sys.argv[1]).write_text(str(min(timeit.repeat(call, number=2000)) / 2000 * 1e6))
"""
ROWS = 10_000
BATCHES = {
    "json": ("application/json", json.dumps([{"value": value} for value in range(ROWS)]).encode()),
    "csv": ("text/csv", "\n".join(["value", *map(str, range(ROWS))]).encode()),
}
SERVERS = {  # the command, and which batches it takes
    "seed": ("gunicorn -b 127.0.0.1:PORT flask_api:app", ()),
    "FastAPI, 1": ("uvicorn peer:app --port PORT --workers 1", ("json",)),
    "FastAPI, 2": ("uvicorn peer:app --port PORT --workers 2", ("json",)),
    "ours, 1": ("gunicorn", ("json", "csv")),
    "ours, 2": ("gunicorn", ("json", "csv")),
}
MEASURES = {  # what the table calls each, and its decimals
    "latency": ("1 connection: median latency (ms)", 2),
    "requests": ("64 connections: requests/s", 0),
    "middle": ("64 connections: median latency (ms)", 1),
    "p99": ("64 connections: p99 latency (ms)", 1),
    "cpu": ("64 connections: CPU time a request (µs)", 0),
    "json": (f"{ROWS:,} rows as JSON: rows/s", 0),
    "csv": (f"{ROWS:,} rows as CSV: rows/s", 0),
    "first": ("Start until the first answer (s)", 2),
    "memory": ("Memory of all processes (PSS, MB)", 0),
    "failed": ("Requests that failed", 0),
    "call": ("In process (µs)", 0),
}
Results = dict[str, dict[str, list[float]]]  # by server and measure, one a round
TICKS = os.sysconf("SC_CLK_TCK")
UNITS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}
# What bounds a measure: a number alone, or this many times a measure of another server.
GOALS = [
    ("In process (µs)", "ours", "call", "<=", 2.5, "bare", "call"),
    ("Latency, 1 connection (ms)", "ours, 1", "latency", "<=", 1, "FastAPI, 1", "latency"),
    ("Requests/s, 64 connections", "ours, 1", "requests", ">=", 1, "FastAPI, 1", "requests"),
    ("Requests/s, 64 connections", "ours, 2", "requests", ">=", 1.2, "seed", "requests"),
    ("p99, 64 connections (ms)", "ours, 1", "p99", "<=", 1.5, "FastAPI, 1", "p99"),
    ("p99, 64 connections (ms)", "ours, 2", "p99", "<=", 1.5, "FastAPI, 2", "p99"),
    ("Rows/s as JSON", "ours, 1", "json", ">=", 1, "FastAPI, 1", "json"),
    ("Rows/s as CSV", "ours, 1", "csv", ">=", 0.5, "FastAPI, 1", "json"),
    ("First answer (s)", "ours, 1", "first", "<=", 0.8, "", ""),
    ("First answer (s)", "ours, 2", "first", "<=", 0.8, "", ""),
    ("PSS (MB)", "ours, 2", "memory", "<=", 130, "", ""),
]


def below() -> dict[int, int]:
    """All processes below this one, which are the server's, and their CPU time (ticks)."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            words = path.read_text(errors="replace").rpartition(")")[2].split()
            # with the time of its ended children
            found[int(path.parent.name)] = int(words[1]), sum(map(int, words[11:15]))
    inside = {os.getpid()}
    while more := {pid for pid, (parent, _) in found.items() if parent in inside} - inside:
        inside |= more
    return {pid: found[pid][1] for pid in inside - {os.getpid()}}


def megabytes() -> float:
    """The memory of the server; what processes share counts once."""
    found = []
    for pid in below():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            found += re.findall(r"^Pss:\s+(\d+)", text, re.M)
    return sum(map(int, found)) * 1024 / 1e6


def environment(home: Path, **variables: str) -> dict[str, str]:
    """These variables, and none of ours that would change a server."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LANG": "C.UTF-8", "HOME": str(home), "TMPDIR": str(home)} | variables


@contextlib.contextmanager
def running(name: str, port: int, home: Path) -> Iterator[float]:
    """Start a server, and say after how long its first answer came; stop it, whatever happens."""
    kind, _, workers = name.partition(", ")
    python = f"{PEER}/bin/python" if kind == "FastAPI" else sys.executable
    command = [python, "-m", *SERVERS[name][0].replace("PORT", str(port)).split()]
    chosen = {"PORT": str(port), "WEB_CONCURRENCY": workers or "1", "MODEL_PROCESSES": "2"}
    start, log = time.monotonic(), home / "log"
    try:
        with log.open("wb") as output:
            given = {"cwd": home / kind, "env": environment(home, **chosen), "stdout": output}
            # In a session of its own, since Ctrl-C is ours to pass on
            process = subprocess.Popen(command, stderr=output, start_new_session=True, **given)
        while not answers(port):
            if process.poll() is not None or time.monotonic() > start + 30:
                sys.exit(f"{log.read_text(errors='replace')[-2000:]}\n{name} does not answer.")
            time.sleep(0.005)
        yield time.monotonic() - start
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=3)
    finally:
        kill()


def kill() -> None:
    """End what is left below this process, also what was an orphan meanwhile."""
    while left := below():
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            with contextlib.suppress(OSError):  # not a child of this process, but of one of those
                os.waitpid(pid, 0)


def answers(port: int) -> bool:
    """Whether the server answers a request with 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException):
        connection.request("GET", "/api?value=2")
        return connection.getresponse().status == 200
    return False


def wrk(port: int, connections: int, seconds: int) -> dict[str, float]:
    """Load the server, and read what wrk says."""
    command = f"wrk -t1 -c{connections} -d{seconds}s --latency http://127.0.0.1:{port}/api?value=7"
    text = subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout
    shares = re.findall(r"^ +(?:50|99)% +([\d.]+)(us|ms|s|m)$", text, re.M)
    middle, p99 = (float(number) * UNITS[unit] for number, unit in shares)
    errors = re.findall(r"(?:connect|read|write|timeout|responses:) (\d+)", text)
    count = int(re.search(r"(\d+) requests in", text)[1])
    rate = float(re.search(r"Requests/sec: +([\d.]+)", text)[1])
    failed = sum(map(int, errors))
    return {"middle": middle, "p99": p99, "count": count, "requests": rate, "failed": failed}


def rows_a_second(port: int, kind: str, body: bytes) -> float:
    """The median speed of five batches on one connection, after one that is not counted."""
    taken = []
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        for _ in range(6):
            start = time.perf_counter()
            connection.request("POST", "/api/batch", body, {"Content-Type": kind})
            response = connection.getresponse()
            answer = response.read()
            taken.append(time.perf_counter() - start)
            if response.status != 200 or str((ROWS - 1) ** 2).encode() not in answer[-100:]:
                sys.exit(f"A batch in {kind} was answered with {response.status}: {answer[:500]}")
    return ROWS / median(taken[1:])


def measured(name: str, seconds: int, home: Path) -> dict[str, float]:
    """Everything that is measured of one server, started for it alone."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with running(name, port, home) as first:
        wrk(port, 64, 1)  # until all workers are there and warm
        one = wrk(port, 1, seconds)
        before = sum(below().values())
        many = wrk(port, 64, seconds)
        cpu = (sum(below().values()) - before) / TICKS * 1e6
        batches = {batch: rows_a_second(port, *BATCHES[batch]) for batch in SERVERS[name][1]}
        rest = {"latency": one["middle"], "first": first, "cpu": cpu / max(1, many["count"])}
        failed = one["failed"] + many["failed"]
        return many | batches | rest | {"memory": megabytes(), "failed": failed}


def called(kind: str, home: Path) -> float | str:
    """How long a call of the application takes in process (µs), or why that is not known."""
    answer, log = home / "microseconds", home / "log"
    answer.unlink(missing_ok=True)
    metrics = tempfile.mkdtemp(dir=home)  # counted in files, as Gunicorn has it
    variables = environment(home, MODEL_PROCESSES="0", PROMETHEUS_MULTIPROC_DIR=metrics)
    command = [sys.executable, "-c", IN_PROCESS, answer]
    given = {"cwd": home / kind, "env": variables, "stdout": subprocess.DEVNULL, "timeout": 60}
    with log.open("w") as output, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, stderr=output, **given)
    kill()
    if answer.exists():
        return float(answer.read_text())
    why = re.findall(r"^\w.*", log.read_text(errors="replace"), re.M)
    return f"{kind} in process: {'; '.join(why[-3:]) or 'no answer within 60 s'}"


def prepare(template: Path, home: Path) -> None:
    """Render or write each application into a folder of its own."""
    config = home / "cookiecutter.yml"
    config.write_text(f"cookiecutters_dir: {home}/templates\nreplay_dir: {home}/replay\n")
    options = {"no_input": True, "accept_hooks": False, "config_file": str(config)}
    Path(cookiecutter(str(template), output_dir=str(home), **options)).rename(home / "ours")
    sources = {"seed/flask_api": SEED, "FastAPI/peer": FASTAPI, "bare/app": BARE}
    for name, source in sources.items():
        (home / name).parent.mkdir()
        (home / f"{name}.py").write_text(source)
    compileall.compile_dir(home, quiet=1)  # or the first start alone would do it


def install() -> None:
    """Make the environment of FastAPI, once."""
    stamp = PEER / "pins"
    if stamp.exists() and stamp.read_text() == PINS:
        return
    print("Installing FastAPI into .venv/bench-fastapi, once.", flush=True)
    pip = [PEER / "bin/python", "-m", "pip", "install", "--quiet", *PINS.split()]
    for command in ([sys.executable, "-m", "venv", "--clear", PEER], pip):
        with (PEER.parent / "pip.log").open("wb") as log:
            failed = subprocess.run(command, stdout=log, stderr=log).returncode
        if failed:
            sys.exit("FastAPI could not be installed: check the network (details: .venv/pip.log).")
    stamp.write_text(PINS)


def spread(found: list[float], places: int, unit: str = "") -> str:
    """The median, and from where to where the rounds went."""
    return f"{median(found):,.{places}f}{unit} ({min(found):,.{places}f}–{max(found):,.{places}f})"


def cell(results: Results, name: str, measure: str, places: int) -> str:
    """What was measured of a server, and its ratio to the seed."""
    found, seed = results[name][measure], results["seed"][measure]
    if not found or name == "seed" or not all(seed):
        return spread(found, places) if found else "–"
    ratio = [value / other for value, other in zip(found, seed, strict=False)]
    return spread(found, places, f" = {median(ratio):.2f} x" if ratio else "")


def table(results: Results) -> Iterator[str]:
    """A line for each measure, a column for each server."""
    yield f"| median = its ratio to the seed (least–most) | {' | '.join(SERVERS)} |"
    yield "| --- " * (len(SERVERS) + 1) + "|"
    for measure, (text, places) in MEASURES.items():
        cells = [cell(results, name, measure, places) for name in SERVERS]
        if any(any(results[name][measure]) for name in SERVERS):
            yield f"| {text} | {' | '.join(cells)} |"


def goals(results: Results) -> Iterator[str]:
    """A line for each goal: what was measured, and whether that meets it."""
    yield "| goal | of | wanted | measured (least–most) | met |"
    yield "| --- | --- | --- | --- | --- |"
    for text, name, measure, sign, limit, base, other in GOALS:
        found, told, places = results[name][measure], "not measured", MEASURES[measure][1]
        others = results[base][other] if base else [1.0] * len(found)
        ratio = [value / divisor for value, divisor in zip(found, others, strict=False)]
        if ratio and base:
            told = f"{spread(ratio, 2, ' x')}: {median(found):,.{places}f}"
            told += f" against {median(others):,.{places}f}"
        elif ratio:
            told = spread(found, places)
        met = ratio and (median(ratio) <= limit if sign == "<=" else median(ratio) >= limit)
        met = met and not any(results[name]["failed"])
        wanted = f"{'at most' if sign == '<=' else 'at least'} {limit}"
        wanted += f" x {base}" if base else ""
        wanted += " as JSON" if other != measure and base else ""
        yield f"| {text} | {name} | {wanted} | {told} | {'yes' if met else '**no**'} |"


def report(results: Results, reasons: set[str], options: argparse.Namespace) -> str:
    """How it was measured, and both tables."""
    told = f"{options.rounds} rounds of {options.seconds} s, {len(os.sched_getaffinity(0))} cores, "
    told += f"Python {sys.version.split()[0]}, gunicorn=={version('gunicorn')} {PINS}. "
    told += "Read the ratios; the figures are those of a shared machine."
    return "\n".join([told, "", *table(results), "", *goals(results), *map("\n{}".format, reasons)])


def measure(options: argparse.Namespace, home: Path) -> tuple[Results, set[str]]:
    """All rounds; each begins with another server, so that none is always the first."""
    results, reasons, names = defaultdict(lambda: defaultdict(list)), set(), list(SERVERS)
    prepare(options.template, home)
    for number in range(options.rounds):
        print(f"Round {number + 1} of {options.rounds}.", file=sys.stderr)
        for kind in ("bare", "ours"):
            found = called(kind, home)
            (reasons.add if isinstance(found, str) else results[kind]["call"].append)(found)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            for key, value in measured(name, options.seconds, home).items():
                results[name][key].append(value)
    return results, reasons


def main() -> None:
    """Measure, print both tables, and write them where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each server is measured")
    parser.add_argument("--seconds", type=int, default=2, help="how long each load lasts")
    parser.add_argument("--template", type=Path, default=TEMPLATE, help="what to render")
    parser.add_argument("--json", type=Path, help="a file for the figures of each round")
    parser.add_argument("--write", action="store_true", help="write into benchmarks/README.md")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: install it (Debian, Ubuntu: apt install wrk).")
    before, start, rest = TABLES.read_text("utf-8").partition(START)
    if options.write and not (start and END in rest):
        sys.exit(f"benchmarks/README.md has no {START.strip()} and {END} to write between.")
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, lambda number, _: sys.exit(128 + number))
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans stay below this process
    install()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        results, reasons = measure(options, Path(folder))
    text = report(results, reasons, options)
    print(text)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    if options.write:
        TABLES.write_text(f"{before}{start}\n{text}\n\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Stopped.")
