"""`flask reproduce`: whether a service still gives the recorded answers, asked over HTTP."""

import contextlib
import json
import sys
from datetime import UTC, datetime

import click

from service.about.provenance import PROJECT, identity
from service.proof.examples import NONE, recorded
from service.proof.replay import OUTCOMES, Ended, replay
from service.proof.target import answer_stops, answers, built, served


@click.command("reproduce")
@click.option("--image", metavar="REF", help="Ask a container of this image.")
@click.option("--url", help="Ask the service at this address.")
@click.option("--local", is_flag=True, help="Ask this project, served here without Docker.")
def reproduce(image: str | None, url: str | None, local: bool) -> None:
    """Replay the recorded examples over HTTP, and compare the answers.

    Without an option, in a container of the image, built anew from the lock.
    """
    if "" in (image, url) or sum(map(bool, (image, url, local))) > 1:
        raise click.UsageError("Choose one of --image REF, --url URL and --local.")
    if not recorded():
        sys.exit(NONE)
    if not (url or local or answers("docker", "version")):
        sys.exit("Docker does not answer: start or install it, or try --local or --url.")
    identity()  # which stops at weights that are missing, and not only after the build
    answer_stops(lambda *_: sys.exit("Stopped."))
    report = {"date": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        with contextlib.ExitStack() as started:
            if not (image or url or local):
                image = started.enter_context(built())
            address = url or started.enter_context(served(image))
            report |= replay(address.rstrip("/"))
    except Ended as end:
        report |= {"outcome": end.args[0], "reason": end.args[1]}
    tell(report)
    sys.exit(OUTCOMES[report["outcome"]][0])


def tell(report: dict) -> None:
    """Print the report for people, in ten lines at most, and write it for programs."""
    print(f"{report['outcome']}: {OUTCOMES[report['outcome']][1]}")
    print(*report["reason"].splitlines()[-8:], sep="\n")
    try:
        (PROJECT / "reproduction.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        print("All of it stands in reproduction.json.")
    except OSError as error:
        print(f"reproduction.json could not be written here: {error.strerror}.")
