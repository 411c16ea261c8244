"""Prints what to type next; cannot fail, because a failure would delete the project."""

import contextlib
import json
import os
import shlex
import sys

CONTEXT = json.loads(r"""{{ cookiecutter | tojson }}""")


def next_steps(folder: str, windows: bool) -> str:
    """What to type next, in at most eight lines that are right for the system and the answers."""
    if windows:
        enter, setup = f'cd "{folder}"', "py environment.py"
        serve = f".venv\\Scripts\\flask run --port {CONTEXT['port']}"
    else:
        enter, setup, serve = f"cd {shlex.quote(folder)}", "make test", "make serve"
    return (
        "\nYour project is ready. Next, type\n\n"
        f"  {enter}\n  {setup}\n  {serve}\n\n"
        f"and open http://localhost:{CONTEXT['port']}; README.md says how to put your model in."
    )


if __name__ == "__main__":
    with contextlib.suppress(Exception):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        print(next_steps(os.getcwd(), windows=os.name == "nt"), flush=True)
    os._exit(0)  # even where nobody reads standard output any more
