"""How fast the service is beside what people would use instead: `make bench`.

All servers of peers.py are measured in turn, in rounds, on one machine. What else runs there
disturbs all of them, so ratios say more than figures. Whatever has been measured is kept in
.bench/speed.jsonl, and the next run goes on from there. Linux only, with wrk. No server is
left running, also after Ctrl-C.
"""

import argparse
import compileall
import contextlib
import ctypes
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from importlib.metadata import version
from pathlib import Path
from statistics import median

from peers import KINDS, SERVERS, SQUARE, WORK, Request, Server
from report import FOREIGN, is_loud, publish, text

TEMPLATE = Path(__file__).parents[1]
PRODUCT = TEMPLATE / "{{cookiecutter.project_slug}}"
BENCH = TEMPLATE / ".bench"  # the environments of the peers
QUICK = ["seed", "FastAPI def, 1", "FastAPI def, 2", "ours, 1", "ours, 2"]
PARTS = ("plain", "work")
LOADS = {"1": 1, "16": 16, "64": 64, "256": 256, "closed": 64}  # connections
WORKS = {"python": (1, 8, 64), "numpy": (1, 8, 64), "long": (1, 8, 64)}  # callers
SIZES = (100, 10_000, 100_000)  # rows
TICKS = os.sysconf("SC_CLK_TCK")
UNITS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}
PATIENCE = 5  # seconds for a health check
ASKED, SEEDS = 4, range(1, 9)


class Failure(Exception):
    """A server that cannot be installed or does not answer, with the reason."""


def prctl(option: int, value: int) -> None:
    """Change how the system treats this process, which only Linux can."""
    ctypes.CDLL(None).prctl(option, value)


def processes() -> dict[int, tuple[int, int]]:
    """The parent and the CPU time (ticks, with that of ended children) of every process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            words = path.read_text(errors="replace").rpartition(")")[2].split()
            found[int(path.parent.name)] = int(words[1]), sum(map(int, words[11:15]))
    return found


def below() -> dict[int, int]:
    """All processes below this one, which are the server's, and their CPU time (ticks)."""
    found, inside = processes(), {os.getpid()}
    while more := {pid for pid, (parent, _) in found.items() if parent in inside} - inside:
        inside |= more
    return {pid: found[pid][1] for pid in inside - {os.getpid()}}


def foreign() -> float:
    """The CPU time (s) of everything but this script, the server and wrk; also what is stolen."""
    words = Path("/proc/stat").read_text().split()[1:9]
    user, nice, system, *_, steal = map(int, words)
    return (user + nice + system + steal - sum(below().values())) / TICKS - sum(os.times()[:4])


def megabytes() -> float:
    """The memory of the server; what processes share counts once."""
    found = []
    for pid in below():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            found += re.findall(r"^Pss:\s+(\d+)", text, re.M)
    return sum(map(int, found)) * 1024 / 1e6


def kill() -> None:
    """End what is left below this process, also what was an orphan meanwhile."""
    while left := below():
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            with contextlib.suppress(OSError):  # not a child of this process, but of one of those
                os.waitpid(pid, 0)


def last_line(text: str) -> str:
    """The last line that says something, for a table."""
    lines = [line.strip() for line in text.splitlines() if re.search(r"\w{3}", line)]
    return (lines or ["no reason given"])[-1].replace("|", "/")[:200]


def programs(server: Server) -> Path:
    """The folder of the programs that a server is started with."""
    return BENCH / server.environment / "bin" if server.packages else Path(sys.executable).parent


def install(server: Server) -> None:
    """Make the environment of a peer, once."""
    folder = BENCH / server.environment
    stamp = folder / "packages"
    if not server.packages or (stamp.exists() and stamp.read_text() == server.packages):
        return
    print(f"Installing {server.packages.split()[0]} into .bench.", file=sys.stderr)
    uv, python = Path(sys.executable).parent / "uv", folder / "bin/python"
    pip = [uv, "pip", "install", "--quiet", "--python", python, *server.packages.split()]
    for command in ([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], pip):
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise Failure(f"not installed: {last_line(result.stderr)}")
    stamp.write_text(server.packages)


def environment(server: Server, home: Path, port: int) -> dict[str, str]:
    """The variables of a server, and none of ours that would change it."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    kept |= {"PATH": f"{programs(server)}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
    ports = {"port": port, "port1": port + 1, "port2": port + 2}
    own = {name: value.format(**ports) for name, value in server.variables.items()}
    return kept | {"HOME": str(home), "TMPDIR": str(home)} | own


def prepare(server: Server, part: str, folder: Path) -> dict[str, float]:
    """Write or render the application with its science, once; how long rendering took (s)."""
    if folder.exists():
        return {}
    science = WORK if part == "work" else SQUARE
    taken = render(folder) if server.ours else write(folder, server.files)
    if server.ours and part == "work":
        model = folder / "model/square.py"
        text = model.read_text("utf-8").replace("inputs.value**2", "compute(inputs.value)")
        model.write_text(f"from .science import compute\n{text}", "utf-8")
    write(folder / "model" if server.ours else folder, {"science.py": science})
    if server.prepare:
        words = server.prepare.split()
        given = {"cwd": folder, "env": environment(server, folder, 0), "capture_output": True}
        result = subprocess.run([programs(server) / words[0], *words[1:]], text=True, **given)
        if result.returncode:
            raise Failure(f"not prepared: {last_line(result.stderr)}")
    compileall.compile_dir(folder, quiet=1)  # or the first start alone would do it
    return taken


def write(folder: Path, files: dict[str, str]) -> dict[str, float]:
    """Write some files."""
    folder.mkdir(exist_ok=True)
    for name, source in files.items():
        (folder / name).write_text(source)
    return {}


def render(folder: Path) -> dict[str, float]:
    """Render the default project with its hooks, three times; the median of how long it took."""
    home, taken = folder.parent, []
    config = home / "cookiecutter.yml"
    config.write_text(f"cookiecutters_dir: {home}/templates\nreplay_dir: {home}/replay\n")
    command = [Path(sys.executable).parent / "cookiecutter", TEMPLATE, "--no-input"]
    command += ["--config-file", config, "--overwrite-if-exists", "--output-dir", f"{folder}.new"]
    for _ in range(3):
        start = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.monotonic() - start)
    next(Path(f"{folder}.new").iterdir()).rename(folder)
    return {"rendering": median(taken)}


def ask(port: int, request: Request, timeout: float = 60) -> tuple[int, bytes]:
    """Ask once on a connection of its own: the status and the body, or 0 and nothing."""
    path, body, kind = request
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
    with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException):
        method = "GET" if body is None else "POST"
        connection.request(method, path, body, {"Content-Type": kind} if kind else {})
        response = connection.getresponse()
        return response.status, response.read()
    return 0, b""


def free_port() -> int:
    """A free port with two free ones behind it, where the system puts no connections of clients."""
    while True:
        port = random.randrange(20_000, 30_000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for number in range(port, port + 3):
                stack.enter_context(socket.socket()).bind(("", number))
            return port


@contextlib.contextmanager
def running(server: Server, folder: Path, port: int) -> Iterator[float]:
    """Start a server, and say after how long its first answer came; stop it, whatever happens."""
    words = server.command.format(port=port).split()
    start, log = time.monotonic(), folder.parent / "log"
    try:
        with log.open("wb") as output:
            given = {"cwd": folder, "env": environment(server, folder, port), "stdout": output}
            command = [programs(server) / words[0], *words[1:]]
            # In a session of its own, since Ctrl-C is ours to pass on; it ends if we are killed.
            given |= {"start_new_session": True, "preexec_fn": lambda: prctl(1, signal.SIGTERM)}
            process = subprocess.Popen(command, stderr=output, **given)
        while (found := ask(port, server.ask(7)))[0] != 200 or b"49" not in found[1]:
            if process.poll() is not None or time.monotonic() > start + 60:
                told = log.read_text(errors="replace")
                raise Failure(f"no answer: {last_line(told)}")
            time.sleep(0.005)
        yield time.monotonic() - start
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=3)
    finally:
        kill()


def script(request: Request, folder: Path) -> list[str]:
    """Write the script by which wrk sends a request with a body."""
    _, body, kind = request
    if body is None:
        return []
    lua = f'wrk.method, wrk.body = "POST", [==[{body.decode()}]==]\n'
    (folder / "post.lua").write_text(f'{lua}wrk.headers["Content-Type"] = "{kind}"\n')
    return ["-s", str(folder / "post.lua")]


def load(
    port: int,
    request: Request,
    callers: int,
    seconds: int,
    folder: Path,
    *more: str,
    **also: Callable,
) -> dict[str, float]:
    """Load the server with wrk, and read what wrk says; `meanwhile` is called again and again."""
    command = ["wrk", "-t1", f"-c{callers}", f"-d{seconds}s", "--timeout", "60s", "--latency"]
    command += [*script(request, folder), *more, f"http://127.0.0.1:{port}{request[0]}"]
    before = sum(below().values())
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while "meanwhile" in also and process.poll() is None:
            also["meanwhile"]()
        output = process.communicate()[0]
    return figures(output) | {"ticks": sum(below().values()) - before}


def figures(text: str) -> dict[str, float]:
    """Read the figures in the report of wrk."""
    shares = re.findall(r"^ +(?:50|99)% +([\d.]+)(us|ms|s|m) *$", text, re.M)
    if len(shares) != 2:
        raise Failure(f"wrk had no answers: {last_line(text)}")
    middle, p99 = (float(number) * UNITS[unit] for number, unit in shares)
    count, taken, unit = re.search(r"(\d+) requests in ([\d.]+)(\w+)", text).groups()
    failed = sum(map(int, re.findall(r"(?:connect|read|write|timeout|responses:) (\d+)", text)))
    refused = int((re.search(r"responses: (\d+)", text) or [0, 0])[1])
    seconds = float(taken) * UNITS[unit] / 1000
    found = {"rate": (int(count) - refused) / seconds, "p50": middle, "p99": p99}
    return found | {"failed": failed, "count": int(count)}


class Quiet:
    """Repeats what others disturbed, as long as not too much has been repeated."""

    def __init__(self) -> None:
        self.done, self.repeated, self.worst = 0, 0, 0.0

    def __call__(self, act: Callable[..., dict], *given) -> dict:
        """Do it, again if others computed meanwhile, and keep the least disturbed."""
        tries = []
        while not tries or (min(tries)[0] > FOREIGN and len(tries) < 3 and self.may_repeat()):
            self.repeated += bool(tries)
            start, before = time.monotonic(), foreign()
            found = act(*given)
            cores = (foreign() - before) / (time.monotonic() - start)
            tries.append((cores, len(tries), found))
        self.done += 1
        self.worst = max(self.worst, min(tries)[0])
        return min(tries)[2]

    def may_repeat(self) -> bool:
        """Whether a repetition is still allowed: at most one for three."""
        return self.repeated < 3 + self.done / 3


def plain(server: Server, port: int, folder: Path, seconds: int, quiet: Quiet) -> dict:
    """Measure the square: by connections, then in batches."""
    request, found = server.ask(7), {}
    load(port, request, 64, 1, folder)  # until all workers are there and warm
    found["memory"] = megabytes()
    for name, callers in LOADS.items():
        closed = ["-H", "Connection: close"] if name == "closed" else []
        told = quiet(load, port, request, callers, seconds, folder, *closed)
        cpu = told.pop("ticks") / TICKS * 1e6 / max(1, told.pop("count"))
        found |= {f"{name} {key}": value for key, value in (told | {"cpu": cpu}).items()}
    for kind, make in server.batches.items():
        for rows in SIZES:
            with contextlib.suppress(Failure):  # the table shows that there is no figure
                found[f"{kind} {rows}"] = quiet(batch, port, make(range(rows)), rows)["rate"]
    return found | {"memory after batches": megabytes()}


def batch(port: int, request: Request, rows: int) -> dict[str, float]:
    """The median speed of several batches, after one that is not counted."""
    taken, end = [], time.monotonic() + 1
    while len(taken) < 2 or (len(taken) < 6 and time.monotonic() < end):
        start = time.perf_counter()
        status, body = ask(port, request)
        taken.append(time.perf_counter() - start)
        if status != 200 or str((rows - 1) ** 2).encode() not in body:
            raise Failure(f"a batch of {rows:,} rows was answered with {status}: {body[:100]!r}")
    return {"rate": rows / median(taken[1:])}


def work(server: Server, port: int, folder: Path, seconds: int, quiet: Quiet) -> dict:
    """Measure models that compute for a while, with a health check asked meanwhile."""
    found = mixed(server, port)
    for kind, numbers in WORKS.items():
        request = server.ask(KINDS[kind])
        for callers in numbers:
            lasts = seconds if kind != "long" else max(seconds, {1: 1, 8: 2, 64: 4}[callers])
            told = quiet(with_health, server, port, request, callers, lasts, folder)
            keys = ("rate", "p50", "p99", "count", "failed", "health")
            found |= {f"{kind} {callers} {key}": told[key] for key in keys}
    return found


def settle() -> None:
    """Wait for what callers that have gone left the server to do, at most 20 s."""
    end, before = time.monotonic() + 20, -100
    while (now := sum(below().values())) - before > 2 and time.monotonic() < end:
        before = now
        time.sleep(0.1)


def with_health(server: Server, port: int, *given) -> dict[str, float]:
    """Load the server, and ask meanwhile whether it is alive: the longest wait (ms)."""
    waits = []

    def check() -> None:
        start = time.perf_counter()
        ask(port, (server.health, None, ""), PATIENCE)
        waits.append((time.perf_counter() - start) * 1000)
        time.sleep(0.02)

    settle()
    told = load(port, *given, meanwhile=check)
    return told | {"health": max(waits)}


def mixed(server: Server, port: int) -> dict[str, float]:
    """How many answers of a model with random numbers are others than alone, asked by eight."""
    requests = [server.ask(KINDS["random"] + seed) for seed in SEEDS]
    alone = []
    for request in requests:
        tries = (time.sleep(0.1) or number_in(ask(port, request)) for _ in range(20))
        alone.append(next(filter(None, tries), ""))
    answers = [[] for _ in SEEDS]

    def caller(number: int) -> None:
        for _ in range(ASKED):
            answers[number].append(number_in(ask(port, requests[number])))

    threads = [threading.Thread(target=caller, args=[number]) for number in range(len(SEEDS))]
    for step in ("start", "join"):
        for thread in threads:
            getattr(thread, step)()
    pairs = [(one, right) for found, right in zip(answers, alone, strict=True) for one in found]
    answered = [(one, right) for one, right in pairs if one and right]
    wrong = sum(one != right for one, right in answered)
    share = 100 * wrong / max(1, len(answered))
    return {"wrong": share, "random failed": len(pairs) - len(answered)}


def number_in(answer: tuple[int, bytes]) -> str:
    """The number in an answer: the last long run of digits, or nothing without success."""
    status, body = answer
    numbers = re.findall(rb"(?<![\w.-])\d{9,}(?![\w.-])", body)
    return numbers[-1].decode() if status == 200 and numbers else ""


def measured(name: str, part: str, seconds: float, home: Path) -> dict:
    """Everything that one part measures of one server, started for it alone."""
    server, quiet = SERVERS[name], Quiet()
    folder, act = home / re.sub(r"\W+", "-", f"{name} {part}"), {"plain": plain, "work": work}[part]
    try:
        install(server)
        found, port = prepare(server, part, folder), free_port()
        with running(server, folder, port) as first:
            found |= act(server, port, folder, seconds, quiet) | {f"first {part}": first}
    except Failure as failure:
        return {"reason": str(failure)}
    found = {key: round(value, 4) for key, value in found.items()}
    return {"values": found, "foreign": round(quiet.worst, 2), "repeated": quiet.repeated}


def settings(options: argparse.Namespace) -> dict:
    """Give all that must be the same for a run to go on from another."""
    names = ("speed.py", "peers.py")
    files = [TEMPLATE / "benchmarks" / name for name in names]
    files += [path for path in PRODUCT.rglob("*") if path.is_file()]
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()
    return {
        "code": code[:12],
        "seconds": options.seconds,
        "cores": len(os.sched_getaffinity(0)),
        "python": sys.version.split()[0],
        "gunicorn": version("gunicorn"),
        "processor": next(
            iter(re.findall(r"model name\s+: (.*)", Path("/proc/cpuinfo").read_text())), ""
        ),
    }


def kept(raw: Path, chosen: dict, again: bool) -> list[dict]:
    """What an earlier run with these settings has measured; another one is put aside."""
    lines = raw.read_text("utf-8").splitlines() if raw.exists() else []
    if lines and not again and json.loads(lines[0]) == chosen:
        records = [json.loads(line) for line in lines[1:] if line.endswith("}")]
        return [record for record in records if "values" in record]
    if lines:
        raw.rename(raw.with_suffix(".old.jsonl"))
    raw.write_text(json.dumps(chosen) + "\n")
    return []


def visits(options: argparse.Namespace) -> Iterator[tuple[int, str, str]]:
    """Give the visits in their order; each round begins with another server."""
    for number in range(options.rounds):
        turn = number * len(options.servers) // options.rounds
        for name in options.servers[turn:] + options.servers[:turn]:
            for part in options.parts:
                yield number, part, name


def run(options: argparse.Namespace, chosen: dict, raw: Path, home: Path) -> list[dict]:
    """Measure what has not been measured, and keep each step at once."""
    records = kept(raw, chosen, options.again)
    done = {(record["round"], record["part"], record["server"]) for record in records}
    broken, left = [], [visit for visit in visits(options) if visit not in done]
    if not left:
        print("All of it has been measured: --again measures anew.", file=sys.stderr)
    with raw.open("a", encoding="utf-8") as file:
        for number, part, name in left:
            if broken.count(name) > 1:
                continue
            print(f"Round {number + 1} of {options.rounds}: {name}, {part}.", file=sys.stderr)
            record = {"round": number, "part": part, "server": name}
            record |= measured(name, part, options.seconds, home)
            broken += [name] * ("reason" in record)
            print(json.dumps(record), file=file, flush=True)
            records.append(record)
    return records


def choices() -> argparse.Namespace:
    """Read the options of the caller."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each server is measured")
    parser.add_argument("--seconds", type=int, default=1, help="how long each load lasts")
    parser.add_argument("--quick", action="store_true", help="the square alone, few servers")
    parser.add_argument("--only", nargs="+", metavar="SERVER", help=", ".join(SERVERS))
    parser.add_argument("--part", choices=PARTS, help="the square, or the models that compute")
    parser.add_argument("--again", action="store_true", help="forget what has been measured")
    parser.add_argument("--keep", type=Path, default=BENCH, help="the folder for what is measured")
    parser.add_argument("--write", action="store_true", help="write into benchmarks/README.md")
    parser.add_argument("--loud", action="store_true", help="write also what others disturbed")
    options = parser.parse_args()
    if options.quick and options.write:
        sys.exit("--write needs the figures of all servers: leave --quick out.")
    options.again |= options.quick
    options.parts = [options.part] if options.part else ["plain"] if options.quick else [*PARTS]
    options.servers = options.only or (QUICK if options.quick else [*SERVERS])
    if unknown := set(options.servers) - set(SERVERS):
        sys.exit(f"There is no server {unknown.pop()!r}. There are: {', '.join(SERVERS)}.")
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: install it (Debian, Ubuntu: apt install wrk).")
    return options


def main() -> None:
    """Measure, print the tables, and write them where asked to."""
    options = choices()
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, lambda number, _: sys.exit(128 + number))
    prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans stay below this process
    options.keep.mkdir(exist_ok=True)
    raw = options.keep / ("quick.jsonl" if options.quick else "speed.jsonl")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        chosen = settings(options)
        records = run(options, chosen, raw, Path(folder))
    print(text(chosen, records))
    if options.write and is_loud(records) and not options.loud:
        sys.exit("The machine was not quiet, so nothing was written: --again measures anew.")
    if options.write:
        publish(chosen, records, TEMPLATE)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Stopped. What has been measured is kept: the same command goes on from there.")
