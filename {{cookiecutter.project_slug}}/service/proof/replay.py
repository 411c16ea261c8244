"""Replay the recorded examples over HTTP, and say what came and who answered."""

import json
import re
import sys
import time
from http.client import HTTPException, HTTPResponse
from typing import Annotated
from urllib.request import HTTPDefaultErrorHandler, Request, build_opener

from pydantic import BaseModel, StringConstraints, ValidationError
from pydantic_core import from_json

from service.about.provenance import LARGE, PROJECT, UNKNOWN, digest, identity, short
from service.proof.comparison import Deviation
from service.proof.examples import Example, recorded, worst
from service.words import shorten

# The exit codes of the outcomes, the gravest first; 1 and 2 say that the command failed.
CODES = {"BUILD": 3, "START": 4, "CONTRACT": 5, "VALUE": 6, "IDENTITY": 7, "OK": 0}
PATIENCE = 600  # seconds that a model may take to load, or to answer
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}  # as Python and as Docker name them


Word = Annotated[str, StringConstraints(pattern="^[ -~]{0,200}$")]  # which no terminal obeys


class Info(BaseModel):
    """The used part of /service-info."""

    fingerprint: Word
    architecture: Word
    parts: dict[str, Word]
    packages: dict[str, Word | None]
    base: dict[str, Word]


class Ended(Exception):
    """The outcome and the reason, where there is nothing to compare."""


class Answers(HTTPDefaultErrorHandler):
    """Takes an error as an answer."""

    def http_error_default(self, request: Request, answer: HTTPResponse, *_: object) -> object:
        """Give it on, and do not raise it."""
        return answer


def ask(address: str, request: dict | None = None) -> tuple[int, object, str]:
    """Give the status of an answer, its JSON or the text of an error, and its final address."""
    body = None if request is None else json.dumps(request).encode()
    try:
        sent = Request(address, body, {"Content-Type": "application/json"})
        with build_opener(Answers).open(sent, timeout=PATIENCE) as response:
            data = read(response)
            if response.status != 200:
                return response.status, data.decode(errors="replace"), address
            return response.status, from_json(data, allow_inf_nan=False), response.url
    except (OSError, HTTPException, ValueError) as error:  # no connection, half an answer, no JSON
        reason = f"{address} does not answer with JSON: {shorten(str(error), 300)}."
        raise Ended("START", reason) from error


def read(response: HTTPResponse) -> bytes:
    """Read an answer.

    :raise ValueError: if it is too long, or takes too long
    """
    data, end = bytearray(), time.monotonic() + PATIENCE
    while part := response.read1(2**16):
        data += part
        if len(data) > LARGE or time.monotonic() > end:
            most = f"{LARGE // 10**6} MB or {PATIENCE} s"
            raise ValueError(f"the answer takes more than {most}")
    return bytes(data)


def replay(address: str) -> dict:
    """Ask for every recorded example, and report what came and who answered."""
    status, info, found_at = ask(f"{address}/service-info")
    try:
        Info.model_validate(info)
    except ValidationError as error:
        reason = f"{address} is no service of this kind: its /service-info answers {status}."
        raise Ended("START", reason) from error
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
