"""Prints what to type next; cannot fail, because a failure would delete the project."""

import contextlib
import json
import os
import shlex
import sys
import tempfile
from pathlib import Path

CONTEXT = json.loads(r'''{{ cookiecutter | tojson }}''')  # fmt: skip


def next_steps(folder: str, windows: bool) -> str:
    """What to type next, in at most eight lines that are right for the system and the answers."""
    port = CONTEXT["port"]
    if windows:
        serve = f".venv\\Scripts\\python -m flask run --port {port}"
        commands = [f'cd "{folder}"', "py tools\\environment.py", serve]
    else:
        commands = [f"cd {shlex.quote(folder)}", "make test", "make serve"]
    return (
        "\nYour project is ready. Next, type\n\n  "
        + "\n  ".join(commands)
        + f"\n\nand open http://localhost:{port}. README.md says how to put your model in.\n"
    )


def is_passing(folder: Path) -> bool:
    """Whether `cruft update` or `cruft diff` only compares here, in a folder that will vanish."""
    temporary = Path(tempfile.gettempdir()).resolve() == folder.parents[1].resolve()
    return "_commit" in CONTEXT and temporary and folder.parent.name.startswith("tmp")


if __name__ == "__main__":
    with contextlib.suppress(Exception):
        if not is_passing(Path.cwd()):
            # As bytes, because the folder's name may be none that the terminal's encoding can say.
            words = next_steps(os.path.realpath("."), os.name == "nt")
            sys.stdout.buffer.write(os.fsencode(words))
            sys.stdout.buffer.flush()
    os._exit(0)  # even where nobody reads standard output any more
