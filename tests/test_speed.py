"""The benchmark of benchmarks/speed.py: its figures, its tables and plots, and its end."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
import report
import speed
from conftest import TEMPLATE, clean_environment, command_line, missing

FOLDER = TEMPLATE / "benchmarks"
PAGES = ["README.md", "benchmarks/README.md"]
SETTINGS = {"seconds": 1, "cores": 2, "processor": "P", "python": "3.11", "gunicorn": "27"}
WRK = """
  Latency Distribution
     50%  530.17ms
     99%    1.00s\x20
  120 requests in 2.00s, 8.28KB read
  Socket errors: connect 0, read 3, write 0, timeout 1
  Non-2xx or 3xx responses: 20
"""


def record(server: str, number: int = 0, noise: float = 0, **values: float) -> dict:
    """What a visit leaves in the raw file."""
    values = {name.replace("_", " ").strip(): value for name, value in values.items()}
    found = {"round": number, "part": "plain", "server": server, "values": values}
    return found | {"foreign": noise, "repeated": 0}


def goal(records: list[dict], start: str) -> str:
    """The line of the first goal that begins so."""
    found = report.text(SETTINGS, records).splitlines()
    return next(line for line in found if line.startswith(f"| {start}"))


def test_an_answer_that_refuses_counts_as_failed_and_not_as_an_answer():
    found = speed.figures(WRK)
    assert found == {"rate": 50, "p50": 530.17, "p99": 1000, "failed": 24, "count": 120}


def test_a_goal_is_the_median_of_the_ratios_within_the_rounds():
    pairs = [(300, 100), (80, 100), (400, 400)]  # the machine was faster in the last round
    records = [
        record(server, number, _64_rate=value)
        for number, pair in enumerate(pairs)
        for server, value in zip(("ours, 1", "FastAPI def, 1"), pair, strict=True)
    ]
    line = goal(records, "64 connections")
    assert "1.00 x (0.80–3.00)" in line and line.endswith("| yes |")


def test_a_goal_that_is_not_met_says_why_and_by_whom():
    records = [record("ours, 2", _1_p50=0.6), record("FastAPI async, 2", _1_p50=0.3)]
    line = goal([*records, record("FastAPI def, 1", _1_p50=0.5)], "1 connection")
    assert "(FastAPI async, 2)" in line and "**no**: HTTP alone takes" in line


def test_who_refuses_is_not_the_one_to_beat():
    pairs = {"ours, 2": (9, 0), "Cog": (1, 700), "LitServe": (20, 0)}
    names = ("numpy_8_p99", "numpy_8_failed")
    records = [record(name, **dict(zip(names, pairs[name], strict=True))) for name in pairs]
    line = goal(records, "A model of 5 ms in NumPy, 8 callers: p99")
    assert "(LitServe)" in line and line.endswith("| yes |")


def test_the_tables_say_which_server_could_not_be_measured_and_when_it_was_loud():
    broken = {"round": 0, "part": "plain", "server": "Cog", "reason": "not installed: no wheel"}
    text = report.text(SETTINGS, [broken, record("seed", noise=0.5, memory=40)])
    assert "Not measured, not installed: no wheel" in text
    assert "The machine was not quiet" in text
    assert "not quiet" not in report.text(SETTINGS, [record("seed", memory=40)])


def luminance(colour: str) -> float:
    """How light a colour is, as WCAG counts."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    parts = [part / 12.92 if part <= 0.04 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def test_a_plot_has_a_bar_for_each_server_and_can_be_read_in_light_and_dark():
    records = [record("seed", _64_rate=3000, _1_p50=0.2), record("ours, 2", _64_rate=3500)]
    plot = report.plots(report.collect(records)[0])["speed.svg"]
    bars = ElementTree.fromstring(plot).findall("{http://www.w3.org/2000/svg}rect")
    assert [bar.get("class") for bar in bars] == ["peer", "ours", "peer"]
    for colour in set(re.findall(r"#[0-9a-f]{6}", plot)):
        light, dark = (luminance(paper) + 0.05 for paper in ("#ffffff", "#0d1117"))
        own = luminance(colour) + 0.05
        assert light / own >= (4.2 if f"fill: {colour} }} .title" in plot else 2.5), colour
        assert own / dark >= 4.2, colour


def test_a_run_goes_on_from_what_has_been_measured_with_the_same_settings(tmp_path):
    raw, done = tmp_path / "speed.jsonl", record("seed", memory=40)
    failed = {"round": 0, "part": "plain", "server": "Cog", "reason": "no answer"}
    lines = [SETTINGS, done, failed]
    raw.write_text("\n".join(map(json.dumps, lines)) + '\n{"round": 0, "pa')
    assert speed.kept(raw, SETTINGS, False) == [done]
    assert speed.kept(raw, SETTINGS | {"seconds": 2}, False) == []
    assert raw.with_suffix(".old.jsonl").exists()


def test_the_pages_and_plots_are_those_of_the_raw_figures():
    source, pages = FOLDER / "speed.json", dict.fromkeys(PAGES, report.NOT_YET)
    if source.exists():
        raw = json.loads(source.read_text("utf-8"))
        pages = report.pages(raw["settings"], raw["records"])
        for name, image in report.plots(report.collect(raw["records"])[0]).items():
            assert (FOLDER / name).read_text("utf-8") == image
    for name in PAGES:
        page = (TEMPLATE / name).read_text("utf-8")
        assert f"{report.START}\n{pages[name]}\n\n{report.END}" in page


def test_what_was_measured_is_published_between_the_marks(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    for name in PAGES:
        (tmp_path / name).write_text(f"before\n{report.START}old\n{report.END}\nafter\n")
    rows = [record(name, numpy_8_rate=380, _1_p50=0.5) for name in ("ours, 2", "FastAPI def, 2")]
    report.publish(SETTINGS, rows, tmp_path)
    first = (tmp_path / "README.md").read_text("utf-8")
    assert re.fullmatch(r"before\n<!-- speed -->\n\n(.+)\n\n<!-- /speed -->\nafter\n", first, re.S)
    assert "it gives 380 answers a second" in first and "old" not in first
    assert (tmp_path / re.search(r"\]\((.+)\)", first)[1]).exists()
    assert json.loads((tmp_path / "benchmarks/speed.json").read_text("utf-8"))["records"] == rows


def left_in(folder: Path) -> list[str]:
    """The processes that work somewhere in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            inside = path.joinpath("cwd").readlink().is_relative_to(folder)
            found += [path.name] if inside else []
        except OSError:
            continue  # it has ended, or is not ours
    return found


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_whoever_ends_it_keeps_what_was_measured_and_no_server_goes_on(end, tmp_path):
    if not shutil.which("wrk"):
        missing("wrk")
    command = [sys.executable, FOLDER / "speed.py", "--only", "seed", "ours, 2", "--part", "plain"]
    given = {"env": clean_environment() | {"TMPDIR": str(tmp_path)}, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, "--keep", tmp_path], text=True, **given) as process:
        lines = [process.stderr.readline(), process.stderr.readline()]
        while not any("gunicorn" in command_line(one) for one in left_in(tmp_path)):
            time.sleep(0.1)  # until the second server runs
        os.kill(process.pid, end)
        lines += process.stderr.read().splitlines()
    if end == signal.SIGINT:
        assert process.returncode == 1 and lines[-1].startswith("Stopped."), lines
        assert left_in(tmp_path) == []
    for _ in range(300):  # tenths of a second: who is killed cannot wait for the server
        time.sleep(0.1 * bool(left_in(tmp_path)))
    assert left_in(tmp_path) == []
    kept = (tmp_path / "speed.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line).get("server") for line in kept] == [None, "seed"]
