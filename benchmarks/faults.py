"""What the service does when things go wrong: each fault is made for real, under load.

`.venv/bin/python benchmarks/faults.py` renders the project, puts a model into it that waits,
computes or allocates as it is told, and writes the table of benchmarks/README.md. A time is the
worst of 30 requests, in the best of 3 rounds, since whatever else the machine does only adds.
`.venv/bin/python benchmarks/faults.py idle_clients` makes that fault alone, and writes nothing.
"""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

from bodies import COSTLY, CSV, JSON
from started import (
    BRIEF,
    BUSY,
    PATIENCE,
    TEMPLATE,
    Service,
    best,
    command_line,
    milliseconds,
    serve,
    together,
    wait_until,
)

TABLE = TEMPLATE / "benchmarks/README.md"
# Python itself runs this in each process: its clock leaps by a day, forth and back, ten times a
# second.
LEAP = """
import time

real = time.time
time.time = lambda: real() + 86400 * (int(time.monotonic() * 10) % 3 - 1)
"""
HTTP = "HTTP/1.1\r\nHost: localhost\r\n"
UPLOAD = f"POST /api {HTTP}Content-Type: application/json\r\nContent-Length: 9900000\r\n\r\n"
# A user of no other process, who may read what root may
SOMEBODY = ["setpriv", f"--reuid={60_000 + os.getpid() % 5_000}", "--clear-groups"]
SOMEBODY += [f"--{which}-caps=-all,+dac_override" for which in ("inh", "ambient")]
# A shell that changes what is mounted for itself alone, and then becomes the command behind it
ALONE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]
TINY = 'mount -t tmpfs -o size=4k tmpfs /dev/shm; exec "$@"'
READ_ONLY = """
while read -r _ folder _; do mount -o remount,bind,ro "$folder" || true; done < /proc/self/mounts
mount -t tmpfs tmpfs "$PROMETHEUS_MULTIPROC_DIR"; touch "$PROMETHEUS_MULTIPROC_DIR/mine"
exec "$@"
"""


def slow_clients(arguments: str = "") -> tuple[bool, str]:
    """200 connections that say nothing, and 200 that stop within their headers, on one process"""
    with serve(GUNICORN_CMD_ARGS=arguments, WEB_CONCURRENCY="1") as service:
        before, memory = service.worst("/api"), service.memory()
        silent = [service.open() for _ in range(200)]
        stuck = [service.open(f"GET /api {HTTP}Accept: ") for _ in range(200)]
        time.sleep(1)
        status, first = service.get("/api", timeout=10)
        if status != 200:
            return False, "another client waits for more than 10 s"
        after, more = max(first, service.worst("/api")), service.memory() - memory
        del silent, stuck
    figures = f"{milliseconds(before)} before, {milliseconds(after)} with them"
    return after - before < BRIEF, f"another client's answer takes {figures}; {more:.0f} MB more"


def besieged(
    siege: Callable[[Service, list], None],
    limit: Callable | None = None,
    settles: bool = False,
    within: Iterable[str] = (),
) -> tuple[bool, str]:
    """Let clients besiege the service, and measure what others see meanwhile and for 3 s after."""

    def round_of() -> tuple[list[float], float]:
        with serve(limit, within=within) as service:
            before, clients = service.services(), []
            if settles:
                siege(service, clients)
            with service.others() as waits:
                if not settles:
                    siege(service, clients)
                time.sleep(3)
            assert service.services() == before, "a process ended"
            memory = service.memory()
            for client in clients:
                client.close()
        return waits, memory

    waits, memory = best(round_of)
    told = f"others wait {milliseconds(*waits)} at most; a service process holds {memory:.0f} MB"
    return max(waits) < PATIENCE and memory < 450, told


def half_headers() -> tuple[bool, str]:
    """1,300 clients stop within their headers"""
    return besieged(lambda service, clients: opened(service, clients, 1300, f"GET / {HTTP}A"))


def half_bodies() -> tuple[bool, str]:
    """1,300 clients stop at the start of their bodies, 500 a second"""
    return besieged(lambda service, clients: opened(service, clients, 1300, UPLOAD, 0.002))


def near_whole_bodies() -> tuple[bool, str]:
    """150 clients stop shortly before the end of a body of 9.9 MB"""

    def siege(service: Service, clients: list) -> None:
        for _ in range(150):
            clients.append(service.open(UPLOAD))
            with contextlib.suppress(ConnectionError):  # it may have to leave
                clients[-1].sendall(b" " * 9_800_000)

    return besieged(siege, settles=True)


def idle_clients() -> tuple[bool, str]:
    """5,000 clients connect and say nothing"""
    return besieged(lambda service, clients: opened(service, clients, 5000))


def arriving_clients() -> tuple[bool, str]:
    """500 clients a second connect and say nothing, for 20 s"""
    return besieged(lambda service, clients: opened(service, clients, 10_000, pause=0.002))


def few_files() -> tuple[bool, str]:
    """1,500 clients connect and say nothing, where 256 files may be open (`ulimit -n 256`)"""
    few = limited(resource.RLIMIT_NOFILE, 256)
    return besieged(lambda service, clients: opened(service, clients, 1500), few)


def few_processes() -> tuple[bool, str]:
    """20 ask for predictions and 100 for `/readyz`, where 64 threads may run (`ulimit -u 64`)"""
    if os.geteuid() != 0:  # then all else that this user runs would count too
        return True, "not tried, since only root can start it as a user of its own"

    def siege(service: Service, _: list) -> None:
        for path, clients in (("/api?wait=0.005", 20), ("/readyz", 100)) * 5:
            assert set(together(service, path, clients)) <= {200, 503}

    return besieged(siege, limited(resource.RLIMIT_NPROC, 64), within=SOMEBODY)


def limited(what: int, value: int) -> Callable:
    """Give the function that sets a limit in a process about to start."""
    return lambda: resource.setrlimit(what, (value, value))


def deaf_clients() -> tuple[bool, str]:
    """1,250 clients read nothing of an answer of 9 MB"""
    text = f"GET /api?answer=9 {HTTP}\r\n"

    def siege(service: Service, clients: list) -> None:
        opened(service, clients, 1250, text, pause=0.04)
        wait_until(lambda: service.get("/api")[1] < BRIEF, 60)  # by when all are computed

    return besieged(siege, settles=True)


def long_answers() -> tuple[bool, str]:
    """Clients get answers of 50 MB, on one process: JSON, JSON with kept members, CSV"""
    asked = [("/api", b'{"answer": 50}', JSON), ("/api/batch", b"answer\n50\n", CSV)]
    asked += [("/api/batch?keep=a", b'[{"answer": 50, "a": 1}]', JSON)]

    def round_of() -> tuple[list[float], list]:
        with serve(WEB_CONCURRENCY="1") as service, service.others() as waits:
            time.sleep(1)
            answers = [service.post(*one) for one in asked * 2]
        assert all(answer[0] == 200 and answer[1] > 50_000_000 for answer in answers), answers
        return waits, answers

    waits, _ = best(round_of)
    return max(waits) < PATIENCE, f"others wait {milliseconds(*waits)} at most"


def unclosed_connections() -> tuple[bool, str]:
    """60 clients ask for `Connection: close`, and keep theirs open"""
    text = f"GET /api {HTTP}Connection: close\r\n\r\n"
    return besieged(lambda service, clients: opened(service, clients, 60, text))


def opened(service: Service, clients: list, count: int, text: str = "", pause: float = 0) -> None:
    """Open connections with little room for what comes, and send a text on each."""
    start = time.monotonic()
    for number in range(count):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", service.port))
        client.sendall(text.encode())
        clients.append(client)
        time.sleep(max(0, start + number * pause - time.monotonic()))


def broken_bodies() -> tuple[bool, str]:
    """500 requests that need no body have a broken one (`Transfer-Encoding: chunked`, `ZZ`)"""
    with serve() as service:
        answers = Counter()
        for _ in range(500):
            with service.open(
                f"GET /healthz {HTTP}Transfer-Encoding: chunked\r\n\r\nZZ\r\n"
            ) as one:
                one.shutdown(socket.SHUT_WR)
                answers[one.makefile("rb").read().count(b"HTTP/1.1")] += 1
    return answers == {1: 500}, f"{answers[1]} have one answer each"


def few_threads() -> tuple[bool, str]:
    """The same with `--worker-class gthread --threads 4`, for comparison"""
    served, told = slow_clients("--worker-class gthread --threads 4")
    return not served, told


def waiting_predictions() -> tuple[bool, str]:
    """Every model process sleeps, and others wait"""
    with serve() as service, service.load("/api?wait=1", 40):
        worst = service.worst()
    return worst < BRIEF, f"`/healthz` within {milliseconds(worst)}"


def computing_predictions() -> tuple[bool, str]:
    """Every model process computes in pure Python, and others wait"""
    with serve() as service, service.load("/api?compute=1", 40):
        worst = service.worst()
    return worst < BRIEF, f"`/healthz` within {milliseconds(worst)}"


def held_interpreter() -> tuple[bool, str]:
    """A prediction holds the interpreter of its process for 40 s"""
    with serve() as service, ThreadPoolExecutor(1) as pool:
        services, models = service.services(), service.models()
        call = pool.submit(service.get, "/api?hold=40")
        time.sleep(1)
        worst = service.worst()
        status, seconds = call.result()
        kept = status == 200 and service.services() == services and service.models() == models
    told = f"`/healthz` within {milliseconds(worst)}; it is answered after {seconds:.0f} s"
    return kept and worst < BRIEF, f"{told}, no process ends"


def endless_prediction() -> tuple[bool, str]:
    """A prediction takes longer than `MODEL_TIMEOUT=2`, and nothing interrupts it"""
    with serve(MODEL_TIMEOUT="2") as service:
        before = service.models()
        status, seconds = service.get("/api?deaf=1000")
        replaced = wait_until(lambda: len(service.models() - before) == 1)
        healthy = together(service, "/api", 20) == {200: 20}
        kept = len(service.models() & before) == 1
    told = f"504 after {seconds:.1f} s, the process replaced {milliseconds(replaced)} later"
    return status == 504 and seconds < 5 * BUSY and kept and healthy, told


def too_many_predictions() -> tuple[bool, str]:
    """300 predictions of 2 s at once"""
    with serve() as service:
        told = together(service, "/api?wait=2", 300)
        ready = service.get("/readyz")[0]
    # Of two at a time, three pairs begin within the 5 s that they may wait.
    answered = told[200] >= 6 and told[200] + told[503] == 300
    return answered and ready == 200, f"{told[200]} answered, {told[503]} asked to come back (503)"


def killed_service() -> tuple[bool, str]:
    """A service process is killed (SIGKILL)"""
    with serve() as service:
        before, models = service.services(), service.models()
        with service.load("/api?wait=0.2", 8):
            os.kill(min(before), signal.SIGKILL)
            replaced = wait_until(lambda: len(service.services() - before) == 1)
            time.sleep(1)
        told = service.told
        healthy = together(service, "/api", 20) == {200: 20} and service.models() == models
    kept = healthy and set(told) <= {200, 0} and told[0] <= 8
    figures = f"{told[200]} answered, {told[0]} lost with it"
    return kept, f"{figures}, replaced after {milliseconds(replaced)}"


def killed_model() -> tuple[bool, str]:
    """A model process is killed (SIGKILL), as the system does when memory runs out"""
    with serve() as service:
        before = service.models()
        with service.load("/api?wait=0.2", 8):
            os.kill(min(before), signal.SIGKILL)
            replaced = wait_until(lambda: len(service.models() - before) == 1)
            time.sleep(1)
        told = service.told
        healthy = len(service.answering()) == 2
    kept = healthy and set(told) <= {200, 500} and told[500] <= 1
    figures = f"{told[200]} answered, {told[500]} with 500"
    return kept, f"{figures}, replaced after {milliseconds(replaced)}"


def killed_keeper() -> tuple[bool, str]:
    """The keeper of the model processes is killed (SIGKILL)"""
    with serve() as service:
        models = service.models()
        with service.load("/api?wait=0.2", 8):
            os.kill(service.keeper(), signal.SIGKILL)
            ended = wait_until(lambda: service.process.poll() is not None)
        code, told = service.process.returncode, service.told
        wait_until(lambda: not any("service.runner" in command_line(pid) for pid in models), 3)
    # Docker and the like start it anew, and must see that it has failed.
    told = f"the service ends after {milliseconds(ended)} with exit code {code}"
    return code > 0 and ended < 10, f"{told}, and leaves no process behind"


def killed_master() -> tuple[bool, str]:
    """The process of Gunicorn that has started all others is killed (SIGKILL)"""
    with serve() as service:
        started = service.services() | service.models() | {service.keeper()}
        models = service.models()
        with service.load("/api?wait=0.2", 8):
            service.process.kill()
            ended = wait_until(lambda: not any(map(command_line, models)), 10)
        left = wait_until(lambda: not any(map(command_line, started)), 10) + ended
    told = f"the model processes end after {milliseconds(ended)}"
    return ended < 2 * BUSY, f"{told}, the last other process after {milliseconds(left)}"


def unread_log() -> tuple[bool, str]:
    """Nobody reads the log, a pipe, during 2,000 requests"""
    with serve(is_heard=False) as service:
        statuses = {service.get("/api")[0] for _ in range(1910)}
        worst = service.worst("/api")
        service.is_heard.set()
        # Each service process says how many lines it has lost.
        wait_until(lambda: service.get("/api")[0] == 200 and len(lost_lines(service)) == 2)
        lost = sum(lost_lines(service))
        wait_until(lambda: lost + "".join(service.said).count('"/api"') >= service.told[200])
    told = f"all are answered, the last 90 within {milliseconds(worst)}"
    return statuses == {200} and worst < PATIENCE, f"{told}; {lost} lines are lost, and counted"


def lost_lines(service: Service) -> list[int]:
    """How many lines each process has lost, as the log says."""
    return list(map(int, re.findall(r'"(\d+) lines of the log', "".join(service.said))))


def out_of_memory() -> tuple[bool, str]:
    """Predictions ask for more memory than the process may have (`ulimit -v`)"""
    with serve(limited(resource.RLIMIT_AS, 2**33)) as service:
        before = service.services() | service.models()
        with service.load("/api?wait=0.05", 8):
            greedy = together(service, "/api?allocate=100000", 8)
        told = service.told
        same = service.services() | service.models() == before
    kept = greedy == {500: 8} and told[500] == 8 and set(told) == {200, 500} and same
    return kept, f"these are answered with 500, {told[200]} others with 200, no process ends"


def stopped() -> tuple[bool, str]:
    """SIGTERM while 8 predictions of 1 s run or wait"""
    with serve() as service, ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(service.get, "/api?wait=1") for _ in range(8)]
        time.sleep(0.5)
        service.process.send_signal(signal.SIGTERM)
        told = Counter(call.result()[0] for call in calls)
        code = service.process.wait(timeout=20)
    return told == {200: 8} and code == 0, f"{told[200]} answered, then exit code {code}"


def reloaded() -> tuple[bool, str]:
    """SIGHUP (a reload) twice, under load"""
    with serve() as service:
        models = service.models()
        with service.load("/api?wait=0.1", 8):
            for _ in range(2):
                before = service.services()
                service.process.send_signal(signal.SIGHUP)
                wait_until(lambda seen=before: not service.services() & seen)
            time.sleep(0.5)
        told, same = service.told, service.models() == models
    return set(told) == {200} and same, f"{told[200]} answered, {told.total() - told[200]} lost"


def vanishing_clients() -> tuple[bool, str]:
    """404 clients go away: in the headers, in the body, during the prediction"""
    body = f"POST /api {HTTP}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    with serve() as service:
        with service.load("/api", 4):
            for text in (f"GET /api {HTTP}", body, f"GET /api?wait=0.1 {HTTP}\r\n", body) * 100:
                service.open(text).close()
            for _ in range(4):  # longer than they are waited for
                service.open(f"GET /api?wait=30 {HTTP}\r\n").close()
            time.sleep(5)
        told = service.told
        wait_until(lambda: service.get("/api")[0] == 200, 1)
    kept = set(told) == {200} and not re.search(r"ERROR|Traceback", "".join(service.said))
    return kept, f"{told[200]} others answered, none lost; no error in the log"


def kept_connections() -> tuple[bool, str]:
    """1,000 connections kept alive, on one service process"""
    with serve(WEB_CONCURRENCY="1") as service:
        before = service.worst("/api")
        kept = [HTTPConnection("127.0.0.1", service.port, timeout=30) for _ in range(1000)]
        answered = sum(map(asked, kept))
        after = service.worst("/api")
        again = sum(map(asked, kept))
    figures = f"{answered} and again {again} answered; another client's answer takes"
    kept_well = answered == again == 1000 and after - before < BRIEF
    return kept_well, f"{figures} {milliseconds(before)} before, {milliseconds(after)} with them"


def asked(connection: HTTPConnection) -> bool:
    """Whether a connection, opened only the first time, brings an answer."""
    connection.request("GET", "/api")
    response = connection.getresponse()
    response.read()
    connection.auto_open = False
    return response.status == 200


def full_disk() -> tuple[bool, str]:
    """No file can be written (`ulimit -f 0`)"""
    with serve(limited(resource.RLIMIT_FSIZE, 0)) as service:
        headers = f"{HTTP}Content-Type: application/json\r\nContent-Length: 5000000\r\n"
        connection = service.open(f"POST /api {headers}Connection: close\r\n\r\n")
        connection.sendall(b'{"wait": 0}'.ljust(5_000_000))
        status = int(connection.recv(12)[9:])
        answered = together(service, "/api", 50)
    return status == 200 and answered == {200: 50}, "a body of 5 MB and 50 links are answered"


def small_memory_folder() -> tuple[bool, str]:
    """Temporary files go to `/dev/shm`, which holds 4 kB"""
    return confined(TINY, TMPDIR="/dev/shm")


def no_folder() -> tuple[bool, str]:
    """No folder can be written to, but one of the user's, where counts of other programs may be"""
    with tempfile.TemporaryDirectory() as folder:
        return confined(READ_ONLY, PROMETHEUS_MULTIPROC_DIR=folder)


def confined(mounts: str, **variables: str) -> tuple[bool, str]:
    """Serve where a shell has changed what is mounted."""
    if subprocess.run([*ALONE, "mount -t tmpfs tmpfs /mnt"], stderr=subprocess.DEVNULL).returncode:
        return True, "not tried, since this system lets nobody mount"
    with serve(within=[*ALONE, mounts, "sh"], **variables) as service:
        before = service.services() | service.models()
        answered = together(service, "/api", 50) + together(service, "/metrics", 4)
        posted = service.post("/api", b'{"wait": 0}'.ljust(5_000_000), JSON)[0]
        os.kill(min(service.models()), signal.SIGKILL)
        wait_until(lambda: len((service.services() | service.models()) & before) == 3)
        wait_until(lambda: len(service.answering()) == 2)
        own = variables.get("PROMETHEUS_MULTIPROC_DIR", "")
        kept = not own or Path(f"/proc/{service.process.pid}/root{own}/mine").exists()
    held = answered == {200: 54} and posted == 200 and kept
    held = held and not re.search("Traceback|SIGBUS", "".join(service.said))
    told = "a body of 5 MB, 50 links and `/metrics` are answered, a model process is replaced"
    return held, told + "; the user's files stay" * bool(own)


def leaping_clock() -> tuple[bool, str]:
    """The clock leaps by a day, forth and back, for 5 s (`time.time` is replaced)"""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "sitecustomize.py").write_text(LEAP)
        with serve(PYTHONPATH=folder) as service:
            before = service.services() | service.models()
            with service.load("/api?wait=0.05", 8):
                time.sleep(5)
            told = service.told
            same = service.services() | service.models() == before
    return set(told) == {200} and same, f"{told[200]} answered, none lost; no process ends"


FAULTS = [
    slow_clients,
    few_threads,
    half_headers,
    half_bodies,
    near_whole_bodies,
    idle_clients,
    arriving_clients,
    few_files,
    few_processes,
    deaf_clients,
    long_answers,
    unclosed_connections,
    *COSTLY,
    broken_bodies,
    waiting_predictions,
    computing_predictions,
    held_interpreter,
    endless_prediction,
    too_many_predictions,
    kept_connections,
    vanishing_clients,
    killed_service,
    killed_model,
    killed_keeper,
    killed_master,
    out_of_memory,
    full_disk,
    small_memory_folder,
    no_folder,
    unread_log,
    leaping_clock,
    reloaded,
    stopped,
]


def main() -> None:
    """Make every fault, and write the table unless the service failed one; or make some alone."""
    lines = ["| fault | what happens |", "| --- | --- |"]
    failed, chosen = [], sys.argv[1:]
    for fault in [fault for fault in FAULTS if not chosen or fault.__name__ in chosen]:
        held, told = fault()
        lines.append(f"| {fault.__doc__} | {told} |")
        print(lines[-1], "" if held else "  <-- FAILED", flush=True)
        failed += [] if held else [fault.__name__]
    if failed:
        sys.exit(f"The service did not stand {', '.join(failed)}.")
    if chosen:
        return
    start, end = "<!-- faults: written by faults.py -->\n", "<!-- end of faults -->"
    before, _, rest = TABLE.read_text("utf-8").partition(start)
    after = rest.partition(end)[2]
    TABLE.write_text(before + start + "\n" + "\n".join(lines) + "\n\n" + end + after, "utf-8")


if __name__ == "__main__":
    main()
