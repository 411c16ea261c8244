"""The tables, goals and plots of what speed.py has measured."""

import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from peers import SERVERS

FOREIGN = 0.2  # cores; a load during which other programs took more is repeated
NOT_YET = "It has not been measured on a quiet machine yet."
PLOTS = {
    "speed.svg": "The square",
    "work.svg": "A model of 5 ms in NumPy, asked by eight callers",
}
START, END = "<!-- speed -->\n", "<!-- /speed -->"
OURS = [name for name in SERVERS if SERVERS[name].ours]
PEERS = [name for name in SERVERS if not SERVERS[name].ours]
FASTAPI = [name for name in PEERS if name.startswith("FastAPI")]
TOOLS = ["BentoML", "LitServe", "MLServer", "MLflow", "vetiver"]
DEFAULT = "ours, 2"  # what a rendered project starts with
Results = dict[str, dict[str, list[float]]]  # by server and measure, one a round
SIZES = ("100", "10000", "100000")
CALLERS = {"1": "1 caller", "8": "8 callers", "64": "64 callers"}
SUMMARY = [  # the measure, its decimals, and which of several is the best
    (
        "With a model of 5 ms and eight callers it gives {} answers a second; two cores can give "
        "400, and FastAPI gives {}.",
        "numpy 8 rate",
        0,
        max,
    ),
    ("The square takes {} ms, with FastAPI {} ms.", "1 p50", 2, min),
]
WORKED = ("rate", "health", "failed", "count")
KINDS = {
    "python": "A model of 5 ms in pure Python",
    "numpy": "A model of 5 ms in NumPy",
    "long": "A model of 200 ms in NumPy",
}


MANY = "64 connections: answers/s"
# Why a goal is not met, as profiling says.
AFTER = "PSS after batches of up to 100,000 rows (MB)"
HELD = "a batch is held whole; the 10,000 rows that the default takes leave 120 MB"
WAY = "the way to a model process and back: a connection and two wake-ups for each request"
HALVES = "HTTP alone takes 0.35 ms, as /healthz does; the way to a model process and back the rest"
ROWS = "a row costs the model process as much CPU time as FastAPI; a second one halves the wait"
LINEAR = "100,000 rows: rows/s"
IN_PARTS = "beyond 0.4 s a batch goes on in parts, on all processes: its rows are split as text"
SHARED = "the two cores also do the HTTP, 0.5 ms a request, and the client that measures"
RENDER = "The command that renders, with hooks (s)"
MEMORY = "a shared library counts by its share: beside other Pythons, each server took 3 MB less"
START_UP = "half of it is the start of Python and the imports of Cookiecutter"
COG = "its HTTP is compiled; it takes one request at a time, and refuses others with 409"
HTTP = "four fifths of the CPU time are HTTP in the service process: Gunicorn, Flask, log, metrics"


@dataclass(frozen=True)
class Goal:
    """The goal of one of our servers: a number, or so many times the best of the others."""

    text: str
    ours: str
    measure: str
    sign: str
    limit: float
    others: tuple[str, ...] = ()
    base: str = ""  # the measure of the others, where it is another one
    places: int = 0
    reason: str = ""


def batches(size: str) -> Iterator[Goal]:
    """The goals of batches of this size."""
    text, measure = f"{int(size):,} rows as JSON: rows/s", f"json {size}"
    reason = WAY if size == SIZES[0] else ROWS
    yield Goal(text, DEFAULT, measure, ">=", 1.5, tuple(FASTAPI), reason=reason)
    yield Goal(text, DEFAULT, measure, ">=", 3, ("BentoML",), reason=reason)


def works(kind: str) -> Iterator[Goal]:
    """The goals of a model of 5 ms; 0.9 of what two cores can do."""
    rate, wait = f"{KINDS[kind]}, 8 callers: answers/s", f"{KINDS[kind]}, 8 callers: p99 (ms)"
    yield Goal(rate, DEFAULT, f"{kind} 8 rate", ">=", 360, reason=SHARED)
    yield Goal(wait, DEFAULT, f"{kind} 8 p99", "<=", 1, tuple(PEERS), places=1, reason=SHARED)


GOALS = [
    Goal("1 connection: p50 (ms)", DEFAULT, "1 p50", "<=", 1, tuple(FASTAPI), "", 2, HALVES),
    Goal("1 connection: p50 (ms)", DEFAULT, "1 p50", "<=", 1, tuple(TOOLS), "", 2, HALVES),
    Goal("1 connection: p50 (ms)", DEFAULT, "1 p50", "<=", 1, ("Cog",), "", 2, COG),
    Goal(MANY, "ours, 1", "64 rate", ">=", 1, ("FastAPI def, 1",), reason=HTTP),
    Goal(MANY, DEFAULT, "64 rate", ">=", 0.8, ("FastAPI def, 2",), reason=HTTP),
    Goal(MANY, DEFAULT, "64 rate", ">=", 2, tuple(TOOLS), reason=HTTP),
    *works("python"),
    *works("numpy"),
    *(goal for size in SIZES for goal in batches(size)),
    Goal(LINEAR, DEFAULT, "json 100000", ">=", 0.8, (DEFAULT,), "json 10000", reason=IN_PARTS),
    Goal(AFTER, DEFAULT, "memory after batches", "<=", 2, (DEFAULT,), "memory", reason=HELD),
    Goal("First answer (s)", DEFAULT, "first plain", "<=", 0.7, places=2),
    Goal("PSS (MB)", DEFAULT, "memory", "<=", 120, reason=MEMORY),
    Goal(RENDER, DEFAULT, "rendering", "<=", 0.3, places=2, reason=START_UP),
    Goal("Wrong answers, 8 callers (%)", DEFAULT, "wrong", "<=", 0),
]


def collect(records: list[dict]) -> tuple[Results, dict[str, str]]:
    """Read the figures by server and measure; and the reasons where there are none."""
    results, reasons = {name: {} for name in SERVERS}, {}
    for record in sorted(records, key=lambda record: record["round"]):
        if "reason" in record:
            reasons[record["server"]] = record["reason"]
        for measure, value in record.get("values", {}).items():
            results[record["server"]].setdefault(measure, []).append(value)
    return results, reasons


def spread(found: list[float], places: int, unit: str = "") -> str:
    """The median, and from where to where the rounds went."""
    text = f"{median(found):,.{places}f}{unit}"
    least, most = f"{min(found):,.{places}f}", f"{max(found):,.{places}f}"
    return text if least == most else f"{text} ({least}–{most})"


def ratios(found: list[float], others: list[float]) -> list[float]:
    """The ratio within each round."""
    return [one / other for one, other in zip(found, others, strict=False) if other]


def rate(results: Results, name: str, measure: str, places: int = 0) -> str:
    """The median, the median of its ratios to the seed, and the spread."""
    found = results[name].get(measure)
    if not found:
        return "–"
    ratio = ratios(found, results["seed"].get(measure, []))
    times = f" = {median(ratio):.2f} x" if ratio and name != "seed" else ""
    return spread(found, places, times)


def pair(results: Results, name: str, prefix: str) -> str:
    """The median and the last hundredth of the latency (ms)."""
    middle, last = (results[name].get(f"{prefix} {key}") for key in ("p50", "p99"))
    return f"{short(median(middle))} / {short(median(last))}" if middle and last else "–"


def short(value: float) -> str:
    """A number with as many decimals as say something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def worked(results: Results, name: str, prefix: str) -> str:
    """Answers a second, latency, the longest health check, and what failed."""
    found = {key: results[name].get(f"{prefix} {key}") for key in WORKED}
    if not all(found.values()):
        return "–"
    text = f"{short(median(found['rate']))} · {pair(results, name, prefix)}"
    text += f" · {short(median(found['health']))}"
    failed = 100 * sum(found["failed"]) / max(1, sum(found["count"]))
    return text + (f" · **{failed:.1f} % failed**" if failed else "")


def table(results: Results, title: str, columns: dict, cell) -> Iterator[str]:
    """A line for each server, a column for each key."""
    yield from ("", f"**{title}**", "", f"| | {' | '.join(columns.values())} |")
    yield "| --- " * (len(columns) + 1) + "|"
    for name in SERVERS:
        cells = [cell(results, name, key) for key in columns]
        if set(cells) != {"–"}:
            yield f"| {name} | {' | '.join(cells)} |"


def costs(results: Results, name: str, key: str) -> str:
    """A figure of the table of costs."""
    if key == "failed":
        names = [measure for measure in results[name] if measure.endswith(" failed")]
        plain = [name for name in names if name.split()[0] in ("1", "16", "64", "256", "closed")]
        return f"{sum(sum(results[name][one]) for one in plain):,.0f}" if plain else "–"
    return rate(results, name, key, 2 if key == "first plain" else 0)


def tables(results: Results) -> Iterator[str]:
    """All tables, each with a line a server."""
    loads = {"1": "1 kept", "16": "16 kept", "64": "64 kept", "256": "256 kept"}
    loads |= {"closed": "64 closed"}
    title = "Answers a second, by connections: median = its ratio to the seed (least–most)"
    yield from table(results, title, loads, lambda *at: rate(*at[:2], f"{at[2]} rate"))
    yield from table(results, "Latency, p50 / p99 (ms)", loads, pair)
    given = {"64 cpu": "CPU a request, 64 kept (µs)", "first plain": "first answer (s)"}
    given |= {"memory": "PSS (MB)", "memory after batches": "PSS after the batches (MB)"}
    given |= {"failed": "requests that failed", "wrong": "wrong answers, 8 callers (%)"}
    title = "Cost: median = its ratio to the seed (least–most). Wrong is another answer than alone"
    yield from table(results, f"{title}, of a model that calls `np.random.seed`", given, costs)
    sizes = {
        f"{kind} {size}": f"{int(size):,}, {kind}" for kind in ("json", "csv") for size in SIZES
    }
    yield from table(results, "Batches: rows a second", sizes, rate)
    for kind, text in KINDS.items():
        columns = {f"{kind} {number}": said for number, said in CALLERS.items()}
        title = f"{text}: answers a second · p50 / p99 · longest health check meanwhile (ms)"
        yield from table(results, title, columns, worked)


def refuses(results: Results, name: str, measure: str) -> bool:
    """Whether a server failed in the load that gave this measure: who refuses is fast."""
    return any(results[name].get(f"{measure.rpartition(' ')[0]} failed", []))


def compared(goal: Goal, results: Results) -> tuple[list[float], str]:
    """Give the figures that are held against the limit, one a round; and their words."""
    found, base = results[goal.ours].get(goal.measure, []), goal.base or goal.measure
    if not goal.others or not found:
        return found, spread(found, goal.places) if found else "not measured"
    known = {name: results[name][base] for name in goal.others if results[name].get(base)}
    if len(known) > 1:
        known = {name: one for name, one in known.items() if not refuses(results, name, base)}
    if not known:
        return [], "not measured"
    best = (min if goal.sign == "<=" else max)(known, key=lambda name: median(known[name]))
    ratio = ratios(found, known[best])
    said = f"{spread(ratio, 2, ' x')}: {median(found):,.{goal.places}f}"
    return ratio, f"{said} against {median(known[best]):,.{goal.places}f} ({best})"


def goals(results: Results) -> Iterator[str]:
    """A line for each goal: what was measured, whether that meets it, and why not."""
    yield "| goal | of | wanted | measured | met |"
    yield "| --- | --- | --- | --- | --- |"
    for goal in GOALS:
        found, told = compared(goal, results)
        if not found:
            continue
        least = goal.sign == ">="
        met = median(found) >= goal.limit if least else median(found) <= goal.limit
        wanted = f"at {'least' if least else 'most'} {goal.limit:g}"
        many = "the best of " if len(goal.others) > 1 else ""
        wanted += f" x {many}{named(goal.others)}" if goal.others else ""
        wanted += f", {goal.base}" if goal.base else ""
        answer = "yes" if met else f"**no**{': ' + goal.reason if goal.reason else ''}"
        yield f"| {goal.text} | {goal.ours} | {wanted} | {told} | {answer} |"


def named(others: tuple[str, ...]) -> str:
    """Some servers in few words."""
    known = {tuple(PEERS): "all peers", tuple(FASTAPI): "FastAPI"}
    return known.get(others, ", ".join(others))


def bars(results: Results, title: str, measure: str, places: int, at: int) -> Iterator[str]:
    """A plot: a bar for each server with its median, and a line from the least to the most."""
    found = {name: results[name][measure] for name in SERVERS if results[name].get(measure)}
    longest = max((max(values) for values in found.values()), default=1)
    yield f'<text class="title" x="{at}" y="20">{html.escape(title)}</text>'
    for number, (name, values) in enumerate(found.items()):
        y, scale = 34 + 22 * number, 190 / longest
        kind = "ours" if name in OURS else "peer"
        label = f"{name} (refuses)" if refuses(results, name, measure) else name
        yield f'<text x="{at + 104}" y="{y + 13}" text-anchor="end">{html.escape(label)}</text>'
        x, width = at + 110, median(values) * scale
        yield f'<rect class="{kind}" x="{x}" y="{y}" width="{width:.1f}" height="16" rx="2"/>'
        least, most = (x + limit(values) * scale for limit in (min, max))
        yield f'<path d="M{least:.1f} {y + 8}H{most:.1f}"/>'
        said = f"{median(values):,.{places}f}"
        yield f'<text x="{max(most, x + width) + 5:.1f}" y="{y + 13}">{said}</text>'


# Greys and a blue that can be read on white and on black: an image cannot ask its page.
STYLE = """<style>
text { font: 12px sans-serif; fill: #767c85 } .title { font-weight: bold; font-size: 13px }
.peer { fill: #9aa1ab } .ours { fill: #3d7edb } path { stroke: #767c85; stroke-width: 2 }
</style>"""


def plot(results: Results, title: str, *panels: tuple[str, str, int]) -> str:
    """An image of two plots side by side."""
    height = 44 + 22 * len(SERVERS)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" role="img">']
    lines += [f"<title>{html.escape(title)}</title>", STYLE]
    for number, (said, measure, places) in enumerate(panels):
        lines += bars(results, said, measure, places, 380 * number)
    return "\n".join([*lines, "</svg>", ""])


def plots(results: Results) -> dict[str, str]:
    """The images by the names of their files."""
    more, less = "more is better", "less is better"
    square = (
        (f"64 connections: answers a second, {more}", "64 rate", 0),
        (f"1 connection: p50 (ms), {less}", "1 p50", 2),
    )
    model = (
        (f"Answers a second, {more}", "numpy 8 rate", 0),
        (f"p99 (ms), {less}", "numpy 8 p99", 0),
    )
    return {
        name: plot(results, PLOTS[name], *panels)
        for name, panels in (("speed.svg", square), ("work.svg", model))
    }


def disturbed(records: list[dict]) -> list[dict]:
    """The visits that other programs disturbed, also when they were repeated."""
    return [record for record in records if record.get("foreign", 0) > FOREIGN]


def is_loud(records: list[dict]) -> bool:
    """Whether so many visits were disturbed that the figures say little."""
    return len(disturbed(records)) > len(records) / 5


def method(settings: dict, records: list[dict]) -> str:
    """Say the conditions of the run, and how quiet the machine was."""
    values = [record for record in records if "values" in record]
    rounds = len({record["round"] for record in records})
    repeated = sum(record["repeated"] for record in values)
    told = (
        f"Rounds: {rounds}; {settings['seconds']} s a load, {settings['cores']} cores "
        f"({settings['processor']}), Python {settings['python']}, Gunicorn {settings['gunicorn']}. "
        f"{repeated} loads were repeated, because other programs took more than {FOREIGN} cores. "
        f"{len(disturbed(values))} of {len(values)} visits stayed disturbed."
    )
    loud = "**The machine was not quiet: do not rely on these figures.** "
    return loud + told if is_loud(values) else told


def text(settings: dict, records: list[dict]) -> str:
    """Everything between the marks of benchmarks/README.md, but the plots."""
    results, reasons = collect(records)
    lines = [method(settings, records), "", *goals(results), *tables(results), ""]
    lines += ["**Servers**", "", "| | started with | packages |", "| --- | --- | --- |"]
    for name, server in SERVERS.items():
        packages = server.packages.removesuffix(" numpy") or "of this repository"
        reason = f" **Not measured, {reasons[name]}**" if name in reasons else ""
        lines.append(f"| {name} | `{server.command}` | {packages}{reason} |")
    return "\n".join(lines)


def summary(results: Results) -> str:
    """The sentences of the first README, with the best that FastAPI reaches."""
    said = []
    for text, measure, places, best in SUMMARY:
        own = results[DEFAULT].get(measure)
        others = [median(results[name][measure]) for name in FASTAPI if measure in results[name]]
        if own and others:
            said.append(text.format(f"{median(own):,.{places}f}", f"{best(others):,.{places}f}"))
    return " ".join(said)


def pages(settings: dict, records: list[dict]) -> dict[str, str]:
    """Give the text between the marks, by the name of the page."""
    square, model = (f"![{title}]({name})" for name, title in PLOTS.items())
    first = f"{summary(collect(records)[0])}\n\n{model.replace('(', '(benchmarks/')}"
    whole = f"{square}\n\n{model}\n\n{text(settings, records)}"
    return {"README.md": first, "benchmarks/README.md": whole}


def publish(settings: dict, records: list[dict], template: Path) -> None:
    """Write the tables, the plots and the raw figures."""
    for name, said in pages(settings, records).items():
        before, _, rest = (template / name).read_text("utf-8").partition(START)
        after = rest.partition(END)[2]
        (template / name).write_text(f"{before}{START}\n{said}\n\n{END}{after}", "utf-8")
    for name, image in plots(collect(records)[0]).items():
        (template / "benchmarks" / name).write_text(image, "utf-8")
    raw = {"settings": settings, "records": records}
    (template / "benchmarks/speed.json").write_text(json.dumps(raw) + "\n", "utf-8")
