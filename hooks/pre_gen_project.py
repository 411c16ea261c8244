"""Checks every answer before a file is written, and reports all faults at once."""

import contextlib
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

# tojson escapes the apostrophe, so that no answer can close the string or run as code.
CONTEXT = json.loads(r'''{{ cookiecutter | tojson }}''')  # fmt: skip
ORDER = json.loads(r'''{{ cookiecutter.keys() | list | tojson }}''')  # fmt: skip
ANSWERS = [name for name in ORDER if not name.startswith("_")]

FREE_TEXT = ["project_name", "description", "author_given_names", "author_family_names"]
DEVICES = r"con|prn|aux|nul|com[0-9]|lpt[0-9]"  # Windows makes no folder of these names
SAMPLES = {"0000-0002-1825-0097", "0000-0001-2345-6789", "0000-0000-0000-0001"}
# Ports of other protocols, which browsers refuse ("bad port" in the Fetch standard).
BLOCKED = {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697, 10080}
BLOCKED |= set(range(6665, 6670))
VERSION = (
    r"[0-9]+(\.[0-9]+)*([-_.]?(alpha|beta|preview|pre|a|b|c|rc)[-_.]?[0-9]*)?"
    r"(-[0-9]+|[-_.]?(post|rev|r)[-_.]?[0-9]*)?([-_.]?dev[-_.]?[0-9]*)?"
)
URL = (
    r"https?://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?"
    r"([/?#]([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?"
)


def is_plain(text: str) -> bool:
    """Whether a text is free of control characters, surrogates and separators of lines."""
    refused = {"Cc", "Cs", "Zl", "Zp"}
    return refused.isdisjoint(map(unicodedata.category, text))


def is_short(text: str) -> bool:
    """Whether a text fits a line of a Dockerfile, which BuildKit limits to 65,535 bytes."""
    return len(text) <= 10_000


def is_slug(text: str) -> bool:
    """Whether a text may name a folder, an image, an environment and a host."""
    slug = re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text) and len(text) <= 63
    return bool(slug) and not re.fullmatch(DEVICES, text)


def is_version(text: str) -> bool:
    """Whether a text is a version by PEP 440, without v, epoch or local part."""
    return bool(re.fullmatch(VERSION, text, re.IGNORECASE)) and len(text) <= 128


def is_orcid(text: str) -> bool:
    """Whether a text is empty or an ORCID iD with its check digit (ISO 7064 MOD 11-2)."""
    if not re.fullmatch(r"([0-9]{4}-){3}[0-9]{3}[0-9X]", text):
        return text == ""
    total = 0
    for digit in text.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    return text[-1] == "0123456789X"[(12 - total % 11) % 11]


def is_port(text: str) -> bool:
    """Whether a text is a port that needs no privilege and that browsers open."""
    is_number = bool(re.fullmatch(r"[1-9][0-9]{3,4}", text))
    return is_number and 1024 <= int(text) <= 65535 and int(text) not in BLOCKED


def is_url(text: str) -> bool:
    """Whether a text is a web address (RFC 3986) without a user name or password."""
    return bool(re.fullmatch(URL, text))


RULES: list[tuple[list[str], Callable[[str], object], str]] = [
    (
        ANSWERS,
        is_plain,
        "must not contain control characters, line breaks or surrogates.",
    ),
    (FREE_TEXT, is_short, "must not be longer than 10,000 characters."),
    (
        [name for name in FREE_TEXT if name != "author_given_names"],
        str.strip,
        "must not be empty.",
    ),
    (
        ["author_given_names"],
        lambda text: text == "" or text.strip(),
        "must be empty or a name, not only spaces.",
    ),
    (
        ["project_slug"],
        is_slug,
        "must be lower-case ASCII letters and digits, with single hyphens between them, at most"
        " 63 characters and not a Windows device name, because it names a folder, an image, a"
        " conda environment and a host.",
    ),
    (
        ["version"],
        is_version,
        "must be a version by PEP 440 such as 1.2.0, without v, epoch (1!) or local part (+x),"
        " because it is an image tag too.",
    ),
    (
        ["orcid"],
        lambda text: text not in SAMPLES,
        "must be your own ORCID iD, or empty: this one is a sample and nobody's.",
    ),
    (
        ["orcid"],
        is_orcid,
        "must be empty or an ORCID iD with its correct check digit, written like"
        " 0000-0002-1825-0097, without https://orcid.org/.",
    ),
    (
        ["repository_url"],
        is_url,
        "must be a web address that begins with https:// or http://, without a password, any"
        " character outside RFC 3986 percent-encoded.",
    ),
    (
        ["port"],
        is_port,
        "must be a number from 1024 to 65535 in ASCII digits, and none that browsers refuse, such"
        " as 6000.",
    ),
]


def answer(name: str) -> str:
    """The answer as it was given; cookiecutter.json renames a slug that is no safe folder."""
    refused = name == "project_slug" and CONTEXT[name] == "refused-project-slug"
    return CONTEXT["__project_slug_given" if refused else name]


def faults() -> Iterator[str]:
    """A sentence for every answer that breaks a rule, about the first that it breaks."""
    for name in ANSWERS:
        demands = (
            demand for names, holds, demand in RULES if name in names and not holds(answer(name))
        )
        for demand in itertools.islice(demands, 1):
            yield f"{name} {demand} It was {shorten(ascii(answer(name)))}."


def shorten(text: str) -> str:
    """Cut a long text, so that the report is read and not scrolled."""
    return text if len(text) <= 100 else f"{text[:100]}… ({len(text)} characters)"


def command() -> str:
    """The command that gives the same answers again, quoted for a POSIX shell."""
    answers = {name: literal(answer(name)) for name in ANSWERS}
    if "_commit" in CONTEXT:  # cruft called
        words = ["cruft", "create", CONTEXT["_template"], "--no-input"]
        words += ["--output-dir", str(Path.cwd().parent)]  # hooks run in the new folder
        return shlex.join([*words, "--extra-context", json.dumps(answers)])
    words = ["cookiecutter", CONTEXT["_template"], "--no-input"]
    words += ["--output-dir", CONTEXT["_output_dir"]]
    if CONTEXT.get("_checkout"):
        words += ["--checkout", CONTEXT["_checkout"]]
    return shlex.join([*words, *(f"{name}={text}" for name, text in answers.items())])


def literal(text: str) -> str:
    """Write a text so that Cookiecutter, which renders what it is given, gives it back."""
    text = "".join(character if is_plain(character) else " " for character in text)
    jinja = any(opening in text for opening in ("{" + "{", "{" + "%", "{" + "#"))
    return "{" + "{ " + repr(text) + " }" + "}" if jinja else text


def end_without_traceback() -> None:
    """Interrupt the command `cookiecutter` as Ctrl-C does: it then ends with "Aborted!".

    It answers the exit code of a hook with a traceback. No other caller is interrupted, and one
    that does not listen gets the exit code.
    """
    caller = os.getppid()
    line = Path(f"/proc/{caller}/cmdline")
    if line.exists():
        words = line.read_text("utf-8", "replace").split("\0")
    else:  # macOS
        command = ["ps", "-o", "args=", "-p", str(caller)]
        words = subprocess.run(command, capture_output=True, text=True).stdout.split()
    if "cookiecutter" not in [Path(word).name for word in words[:2]]:
        return
    folder = Path.cwd()
    with contextlib.suppress(OSError):  # an older project is there
        folder.rmdir()  # Cookiecutter leaves the new folder behind when it is interrupted
    os.kill(caller, signal.SIGINT)
    for _ in range(100):
        if os.getppid() != caller:
            return
        time.sleep(0.02)
    folder.mkdir(exist_ok=True)


if __name__ == "__main__":
    found = list(faults())
    if found:
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
        report = "".join(f"  - {fault}\n" for fault in found)
        print(
            f"\nNothing was written, because of these answers:\n\n{report}\n"
            f"Correct them in this command and run it:\n\n{command()}\n",
            file=sys.stderr,
            flush=True,
        )
        with contextlib.suppress(OSError):
            end_without_traceback()
        sys.exit(1)
