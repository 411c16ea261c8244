"""Replay the recorded examples over HTTP, and say what came and who answered."""

import json
import re
import sys
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pydantic import BaseModel, ValidationError

from service.about.provenance import PROJECT, UNKNOWN, digest, identity, short
from service.proof.comparison import Deviation
from service.proof.examples import Example, recorded, worst
from service.words import shorten

# What came of it, the gravest first, with the exit code; 1 and 2 say that the command failed.
OUTCOMES = {
    "BUILD": (3, "The image does not build."),
    "START": (4, "Nothing answers."),
    "CONTRACT": (5, "An answer has another form than the recorded one."),
    "VALUE": (6, "An answer has another value than the recorded one."),
    "IDENTITY": (7, "The recorded answers are given, by another version than this."),
    "OK": (0, "The recorded answers are given."),
}
PATIENCE = 600  # seconds that a model may take to load, or to answer


class Info(BaseModel):
    """What is used of the /service-info of a service of this kind."""

    fingerprint: str
    parts: dict[str, str]
    packages: dict[str, str]
    base: dict[str, str]
    architecture: str


class Ended(Exception):
    """The outcome where there is nothing to compare, and the reason."""


def ask(address: str, request: dict | None = None) -> tuple[int, object, str]:
    """The status of an answer, what its JSON or the text of an error says, and who gave it."""
    body = None if request is None else json.dumps(request).encode()
    headers = {"Content-Type": "application/json"}
    try:
        with urlopen(Request(address, body, headers), timeout=PATIENCE) as response:
            return response.status, json.load(response), response.url
    except HTTPError as error:
        return error.code, error.read().decode(errors="replace"), address
    # Nobody there, half an answer, no JSON, or too deep.
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        raise Ended("START", f"{address} does not answer with JSON: {error}.") from error


def replay(address: str) -> dict:
    """Ask for every recorded example, and report what came and who answered."""
    status, info, found_at = ask(f"{address}/service-info")
    try:
        Info.model_validate(info)
    except ValidationError as error:
        reason = f"{address} is no service of this kind: its /service-info answers {status}."
        raise Ended("START", reason) from error
    address = found_at.removesuffix("/service-info")  # a redirect would lose what is posted
    differs = differences(info)
    replies = {name: play(address, name, example) for name, example in recorded().items()}
    came = [value.outcome for value in replies.values()]
    came.append("IDENTITY" if {"model", "service"} & differs.keys() else "OK")
    lines = summary(differs, info["parts"])
    wrong = {name: value for name, value in replies.items() if value.outcome != "OK"}
    faults = [f"model/examples/{name}.json: {value}." for name, value in wrong.items()]
    lines += faults[: 6 - len(lines)]
    sizes = [value.size or 0 for value in replies.values() if value.outcome == "OK"]
    off = f", off by {max(sizes):.2e} of the scale at most" if sizes else ""
    lines.append(f"{len(sizes)} of {len(replies)} answers fit{off}.")
    return {
        "outcome": min(came, key=list(OUTCOMES).index),
        "reason": "\n".join([*lines, f"Fingerprint {info['fingerprint']}."]),
        "differs": differs,
        "examples": {name: value._asdict() for name, value in replies.items()},
        "service": info,
    }


def play(address: str, name: str, example: Example) -> Deviation:
    """Ask for one example; the value of the answer that is the furthest from the recorded one."""
    print(name, end=": ", file=sys.stderr, flush=True)
    status, got, _ = ask(f"{address}/api", example.request)
    print(f"answered with {status}", file=sys.stderr)
    if status == 200:
        return worst(example, got)
    if status in (502, 503, 504):
        raise Ended("START", f"{address} takes no predictions now, but answers with {status}.")
    text = shorten(" ".join(str(got).split()), 300)
    return Deviation("the status", "200", f"{status}, with {text}", "CONTRACT")


def differences(info: dict) -> dict[str, str]:
    """What stands behind the answers but not here: parts of the fingerprint, locked packages."""
    here = {name: identity()["parts"][name] for name in ("model", "service")}
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(info["architecture"])
    dockerfile, lock = PROJECT / "Dockerfile", PROJECT / f"locks/linux-{machine}.lock"
    is_image = info["base"].get("name", UNKNOWN) != UNKNOWN
    here["lock"] = short(digest(lock)) if lock.exists() else identity()["parts"]["lock"]
    if dockerfile.exists() and is_image:
        for base in re.findall("(?m)^ARG RUNTIME=(.+)$", dockerfile.read_text("utf-8")):
            here["base"] = short(base)
    if lock.exists():
        # https://conda.anaconda.org/conda-forge/linux-64/numpy-2.1.0-py313h_0.conda#…
        packages = re.findall("(?m)^http.*/(.+)-(.+)-.+$", lock.read_text("utf-8"))
        here |= {name.lower().replace("_", "-"): version for name, version in packages}
    there = info["parts"] | info["packages"]
    # An image has nothing but what its lock lists; outside of one, conda's own are not there.
    found = {name: there.get(name, "none" if is_image else part) for name, part in here.items()}
    return {
        name: f"{found[name]} answers, {part} is here"
        for name, part in here.items()
        if found[name] != part
    }


def summary(differs: dict[str, str], parts: dict[str, str]) -> list[str]:
    """Say what differs: a line for each part of the fingerprint, and one for all packages."""
    lines = [f"{name} differs: {differs[name]}." for name in differs if name in parts]
    packages = [f"{name}: {how}" for name, how in differs.items() if name not in parts]
    if packages:
        more = f"; {len(packages) - 3} more" if len(packages) > 3 else ""
        lines.append(f"packages differ: {'; '.join(packages[:3])}{more}.")
    return lines
