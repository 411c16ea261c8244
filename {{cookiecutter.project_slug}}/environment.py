"""Makes .venv, the environment to run and test the project in without Docker.

micromamba, mamba or conda makes it from environment.yml if one of them is installed. Otherwise
Python's own venv and pip make it from the same list, and make it anew when the list changes: a
package that leaves the list leaves the environment. A .venv of another origin is only added to.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PREFIX = HERE / ".venv"
LIST = HERE / "environment.yml"
MARK = PREFIX / "made-by-this-project"
OLDEST = (3, 11)


def main() -> None:
    """Make or update the environment, then add the test tools of pyproject.toml."""
    os.chdir(HERE)
    tool = next(filter(None, map(shutil.which, ["micromamba", "mamba", "conda"])), None)
    if tool and not (PREFIX / "pyvenv.cfg").exists():
        make_with_conda(tool)
    else:
        make_with_pip()
    install("--group", "test")


def make_with_conda(tool: str) -> None:
    """Let micromamba, mamba or conda solve environment.yml; all three take these words."""
    verb = ["update", "--prune"] if (PREFIX / "conda-meta").exists() else ["create"]
    command = [tool, "env", *verb, "--prefix", str(PREFIX), "--file", str(LIST)]
    agree = {"CONDA_ALWAYS_YES": "true", "MAMBA_ALWAYS_YES": "true"}
    if subprocess.run(command, env=os.environ | agree).returncode:
        sys.exit(f"{Path(tool).stem} could not make the environment; its reason stands above.")


def make_with_pip() -> None:
    """Let venv and pip install what environment.yml lists, in the Python that runs this."""
    here = ".".join(map(str, sys.version_info[:2]))
    if sys.version_info < OLDEST:
        sys.exit(f"Python 3.11 or newer is needed, and this is {here}: install one, or micromamba.")
    if not importlib.util.find_spec("ensurepip"):
        sys.exit("This Python has no venv: install it (Debian, Ubuntu: apt install python3-venv).")
    wanted = re.search(r"- python>=([0-9.]+)", LIST.read_text("utf-8"))
    if wanted and wanted[1] != here:
        print(f"Note: environment.yml asks for Python {wanted[1]}, and this is {here}.")
    is_ours = MARK.exists() or not PREFIX.exists()
    if not is_ours:
        print("Note: this project did not make .venv, so packages that leave the list stay there.")
    clear = ["--clear"] if is_ours else []
    subprocess.run([sys.executable, "-m", "venv", *clear, str(PREFIX)], check=True)
    if is_ours:
        MARK.touch()
    install("--upgrade", "pip>=25.1")  # older ones do not know --group
    install(*packages())


def packages() -> list:
    """What environment.yml lists, as pip writes it, without Python and pip themselves."""
    listed = LIST.read_text("utf-8").partition("\ndependencies:")[2]
    entries = re.findall(r"^\s*- +(.+?)(?:\s+#.*)?\s*$", listed, re.MULTILINE)
    unquoted = [re.sub(r"^(['\"])(.*)\1$", r"\2", entry) for entry in entries]
    return [entry for entry in unquoted if not re.match(r"(python|pip)([^\w-]|$)", entry)]


def install(*arguments: str) -> None:
    """Call the environment's pip, and turn its failure into a sentence."""
    places = ["bin/python", "Scripts/python.exe", "python.exe"]  # the last is conda's, on Windows
    python = next(filter(Path.exists, map(PREFIX.joinpath, places)))
    command = [str(python), "-m", "pip", "install", "--quiet", "--retries", "1", *arguments]
    pip = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if pip.returncode == 0:
        return
    unknown = re.search(r"No matching distribution found for (\S+)", pip.stderr)
    if "connection broken" in pip.stderr:
        sys.exit("The package index cannot be reached: check the network, then try again.")
    if unknown:
        sys.exit(f"pip finds no {unknown[1]} for this Python; conda may: install micromamba.")
    sys.exit(f"{pip.stderr}pip could not install the packages; its reason stands above.")


if __name__ == "__main__":
    main()
