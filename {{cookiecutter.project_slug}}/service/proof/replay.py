"""Replay the recorded examples over HTTP, and say what came and who answered."""

import json
import re
import sys
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from service.about.provenance import PROJECT, UNKNOWN, digest, identity, short
from service.proof.comparison import Deviation
from service.proof.examples import Example, recorded, worst
from service.words import shorten

# The exit codes of the outcomes, the gravest first; 1 and 2 say that the command failed.
CODES = {"BUILD": 3, "START": 4, "CONTRACT": 5, "VALUE": 6, "IDENTITY": 7, "OK": 0}
PATIENCE = 600  # seconds that a model may take to load, or to answer
INFO = {"fingerprint", "parts", "packages", "base", "architecture"}  # of /service-info, used here
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}  # as Python and as Docker name them


class Ended(Exception):
    """The outcome and the reason, where there is nothing to compare."""


def ask(address: str, request: dict | None = None) -> tuple[int, object, str]:
    """Give the status of an answer, its JSON or the text of an error, and its final address."""
    body = None if request is None else json.dumps(request).encode()
    headers = {"Content-Type": "application/json"}
    try:
        with urlopen(Request(address, body, headers), timeout=PATIENCE) as response:
            return response.status, json.load(response), response.url
    except HTTPError as error:
        return error.code, error.read().decode(errors="replace"), address
    except (OSError, HTTPException, ValueError) as error:  # no connection, half an answer, no JSON
        raise Ended("START", f"{address} does not answer with JSON: {error}.") from error


def replay(address: str) -> dict:
    """Ask for every recorded example, and report what came and who answered."""
    status, info, found_at = ask(f"{address}/service-info")
    if not isinstance(info, dict) or not info.keys() >= INFO:
        reason = f"{address} is no service of this kind: its /service-info answers {status}."
        raise Ended("START", reason)
    differs = differences(info)
    address = found_at.removesuffix("/service-info")  # a POST would lose its body in a redirect
    found = {name: play(address, name, example) for name, example in recorded().items()}
    came = [value.outcome for value in found.values()]
    came.append("IDENTITY" if {"model", "service"} & differs.keys() else "OK")
    return {
        "outcome": min(came, key=list(CODES).index),
        "differs": differs,
        "examples": {name: value._asdict() | {"says": str(value)} for name, value in found.items()},
        "service": info,
    }


def play(address: str, name: str, example: Example) -> Deviation:
    """Ask for one example; give the value that is the furthest from the recorded one."""
    status, got, _ = ask(f"{address}/api", example.request)
    print(f"{name}: answered with {status}", file=sys.stderr, flush=True)
    if status == 200:
        return worst(example, got)
    if status in (502, 503, 504):
        raise Ended("START", f"{address} takes no predictions now, but answers with {status}.")
    text = shorten(" ".join(str(got).split()), 300)
    return Deviation("the status", "200", f"{status}, with {text}", "CONTRACT")


def differences(info: dict) -> dict[str, str]:
    """Compare the parts of the fingerprint, and the locked packages, with those of this project."""
    here, there = dict(identity()["parts"]), info["parts"] | info["packages"]
    lock = PROJECT / f"locks/linux-{MACHINES.get(info['architecture'])}.lock"
    if lock.exists():
        here["lock"] = short(digest(lock))
        # https://conda.anaconda.org/conda-forge/linux-64/numpy-2.1.0-py313h_0.conda#…
        packages = re.findall("(?m)^http.*/(.+)-(.+)-.+$", lock.read_text("utf-8"))
        here |= {name.lower().replace("_", "-"): version for name, version in packages}
    dockerfile = PROJECT / "Dockerfile"
    if dockerfile.exists() and info["base"].get("name", UNKNOWN) != UNKNOWN:
        here["base"] = short(re.search("(?m)^ARG RUNTIME=(.+)$", dockerfile.read_text("utf-8"))[1])
    return {
        name: f"{there[name]} answers, {part} is here"
        for name, part in here.items()
        if there.get(name, part) != part
    }
