"""`make version TO=1.2.0`: writes a new version into all files that name it.

It first compares the model with its recorded answers, and these with the newest version in git.
Whoever cites a version relies on its answers: an answer that changes makes a new major version, or
a new minor one before 1.0.
"""

import contextlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from packaging.version import InvalidVersion, Version
from pydantic import ValidationError

from service.files import names
from service.pool import started
from service.proof import weights
from service.proof.examples import Example, parsed, recorded, worst
from service.settings import settings

PROJECT = Path(__file__).resolve().parents[1]
STEPS = ["major", "minor", "patch"]
USAGE = "Type the new version: make version TO={}"
PLACES = ["CITATION.cff", "README.md", "Dockerfile", "compose.yaml", "deploy"]
OTHERS = ["environment.yml", "locks", "model/examples", "tests"]  # which a version needs too


def main() -> None:
    """Say what step is asked for; with a version that is at least such a step, write it."""
    with contextlib.closing(started(settings({"CHECK": True}))) as pool:
        pool.facts()  # stops where the model gives another answer
    old = Version(citation()["version"])
    known = tags()
    before = max(known, default=None)
    step, reasons = demanded(known.get(before))
    least = max(old, Version(number(before or old, step)))
    print("\n".join([*reasons, f"A new version is {least} or higher."]))
    if len(sys.argv) < 2:
        print(USAGE.format(least))
        return
    typed = sys.argv[1].lstrip("vV")  # as in the tag
    try:
        new = Version(typed)
    except InvalidVersion:
        sys.exit(f"{sys.argv[1]!r} is no version by PEP 440 such as 1.2.0.")
    if new.release < least.release or new.local or new.epoch:
        sys.exit(f"{new} will not do after {before or old}. {USAGE.format(least)}")
    if unknown := forgotten():
        way_out = "type git add with their names, or write a file too large for git into"
        sys.exit(f"git does not know {', '.join(unknown)}: {way_out} model/weights.json.")
    write(typed)


def citation() -> dict:
    """Read CITATION.cff, each value as text: the usual loader reads the version 1.10 as 1.1."""
    return yaml.load((PROJECT / "CITATION.cff").read_bytes(), yaml.BaseLoader)


def number(old: Version, step: str) -> str:
    """Give the version that is one step higher; before 1.0 the second number is the major one."""
    release = [*old.release, 0, 0][:3]
    place = min(2, STEPS.index(step) + (release[0] == 0))
    if not (old.is_prerelease and place == 2):
        release[place:] = [release[place] + 1, 0, 0][: 3 - place]
    return ".".join(map(str, release))


def demanded(tag: str | None) -> tuple[str, list[str]]:
    """Compare the recorded answers with those of a released version: the step, and why."""
    if tag is None:
        said = "git has no tag of a version, so nobody can tell whether recorded answers changed."
        reasons = [said, "If one did, this is a new major version."]
        is_new = git("rev-parse", "HEAD") is None
        return "patch", [*reasons, *["Before the tag: git init && git add --all"] * is_new]
    before, now = tagged(tag), recorded()
    found = [difference(name, one, now.get(name)) for name, one in before.items()]
    steps = [step for step, _ in found]
    reasons = [f"model/examples/{reason}" for _, reason in found if reason]
    if not reasons:
        reasons = [f"All {len(before)} recorded answers are those of {tag}."]
    return min(steps, key=STEPS.index, default="patch"), reasons


def difference(name: str, before: Example, now: Example | None) -> tuple[str, str]:
    """Say what a recorded answer that is now another one asks for, and why."""
    if now is None or now.request != before.request:
        return "major", f"{name}.json: the request of the old version is gone."
    value = worst(before, common(before.response, now.response))
    if value.outcome != "OK":
        return "major", f"{name}.json: {value}."
    if common(before.response, now.response) != now.response:
        return "minor", f"{name}.json: the answer has more members."
    return "patch", ""


def common(before: object, now: object) -> object:
    """Give an answer without the members that the old one does not have."""
    if isinstance(before, dict) and isinstance(now, dict):
        return {name: common(before[name], now[name]) for name in now if name in before}
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [common(*pair) for pair in zip(before, now, strict=True)]
    return now


def tags() -> dict[Version, str]:
    """Give the versions that this one comes from, with their tags in git."""
    found = {}
    for tag in (git("tag", "--merged", "HEAD", "--list", "v[0-9]*", "[0-9]*.*") or "").split():
        with contextlib.suppress(InvalidVersion):
            found[Version(tag)] = tag
    return found


def tagged(tag: str) -> dict[str, Example]:
    """Read the recorded examples of a version from git."""
    listed, found = git("ls-tree", "-z", "--name-only", tag, "model/examples/") or "", {}
    for name in filter(re.compile(r".*/[^./][^/]*\.json").fullmatch, listed.split("\0")):
        try:
            example = parsed((git("show", f"{tag}:./{name}") or "").encode())
        except ValidationError:
            continue  # of a form that this version does not know
        if example.is_recorded:
            found[Path(name).stem] = example
    return found


def forgotten() -> list[str]:
    """Name the files of a version that `git commit --all` would leave out."""
    known = git("ls-files", "-z", "model")
    if known is None:
        return []  # there is no git
    large = {f"model/{weight.file}" for weight in weights.checked()}
    new = git("ls-files", "-z", "--others", "--exclude-standard", *OTHERS).split("\0")
    return sorted({*names("model"), *filter(None, new)} - large - {*known.split("\0")})


def git(*words: str) -> str | None:
    """Ask git; nothing where it is missing or fails."""
    if not shutil.which("git"):
        return None
    asked = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True)
    return None if asked.returncode else asked.stdout.decode("utf-8")


def write(new: str) -> None:
    """Let bump-my-version write the version and the day, and check that no other is left."""
    old = citation()["version"]
    installer = [sys.executable, "tools/environment.py", "version"]
    if subprocess.run(installer, cwd=PROJECT).returncode:
        sys.exit(1)  # it has said why
    command = [sys.executable, "-m", "bumpversion", "bump", "--current-version", old]
    if subprocess.run([*command, "--new-version", new], cwd=PROJECT).returncode:
        sys.exit("The version could not be written everywhere; the reason stands above.")
    tests = [sys.executable, "-m", "pytest", "-q", "--no-header", "tests/test_identity.py"]
    if subprocess.run(tests, cwd=PROJECT).returncode:
        sys.exit("Correct what stands above, then type: make test")
    for line in left(old) if new != old else []:
        print(f"Is this the old version too? {line}")
    if "date-released" not in citation():
        print("CITATION.cff has no date-released: add it.")
    print(f"Next: git commit --all --message 'Version {new}' && git tag v{new}")
    print(f"Then publish it: git push origin HEAD v{new}")


def left(old: str) -> list[str]:
    """Give the lines that still name the old version, but for that of the template and the form."""
    paths = [path for name in PLACES for path in [PROJECT / name, *(PROJECT / name).rglob("*")]]
    found = []
    for path in filter(Path.is_file, paths):
        for line in path.read_text("utf-8").splitlines():
            text = re.sub(r"(cookiecutter-model-api|cff-version:) [\w.]+", "", line)
            if re.search(rf"(?<![\w.<>=]){re.escape(old)}(?![\w.]*\w)", text):
                found.append(f"{path.relative_to(PROJECT)}: {line.strip()}")
    return found


if __name__ == "__main__":
    main()
