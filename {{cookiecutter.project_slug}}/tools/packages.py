"""The packages of environment.yml, and whether they bring what model/ imports and service/ needs.

`make test` and the build of the image ask. A package that is in the environment by chance, such as
a test tool, would be missing in the image.
"""

import ast
import importlib.util
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import distributions, packages_distributions, version
from pathlib import Path

try:
    import yaml
except ImportError:
    sys.exit('environment.yml lacks pyyaml, which service/ needs: add the line "- pyyaml>=6,<7".')

HERE = Path(__file__).resolve().parents[1]
WAY_OUT = "add its package to environment.yml, or correct the name."
# A requirement as both conda and pip read it, with extras and markers for pip alone.
BOUND = r"\s*(===?|[<>!~]=|[<>])\s*[\w.*+!-]+\s*"
LINE = re.compile(rf"\w[\w.-]*\s*(\[[\w.,\s-]*\])?({BOUND}(,{BOUND})*)?\s*(;.*)?")


def listed() -> list[str]:
    """Read environment.yml, and give its packages as pip writes them, but for Python and pip.

    :raise SystemExit: at a file that is no such list, and at what only conda understands
    """
    try:
        found = yaml.safe_load((HERE / "environment.yml").read_text("utf-8"))
    except yaml.YAMLError as error:
        sys.exit(f"environment.yml is no YAML: {' '.join(str(error).split())}.")
    entries = found.get("dependencies") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        sys.exit("environment.yml has no list `dependencies:` of packages, one line a package.")
    lines, nested = [], []
    for entry in entries:
        if not (isinstance(entry, dict) and [*entry] == ["pip"]):
            lines.append(entry)
        elif isinstance(entry["pip"], list):
            nested += entry["pip"]
        else:
            sys.exit("environment.yml has `pip:` without a list below it, one line a package.")
    for line in [*lines, *nested]:
        is_address = line in nested and re.match("[^-].*/", str(line))
        if not (isinstance(line, str) and (LINE.fullmatch(line) or is_address)):
            sys.exit(f"environment.yml lists {line!r}: write it like numpy>=2.1,<3, as pip does.")
    return [line for line in lines if name_of(line) not in ("python", "pip")] + nested


def name_of(line: str) -> str:
    """Give the name in a requirement, as all tools compare it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]*", line)[0]).lower()


def asked(line: str) -> set[str]:
    """Give the name in a requirement, and a second one with brackets if it asks for extras."""
    name = name_of(line)
    return {name, f"{name}[]"} if "[" in line.partition(";")[0] else {name}


def needs() -> dict[str, set[str]]:
    """Say for each package in this environment which others it brings along."""
    found = defaultdict(set)
    for one in distributions():
        for line in one.requires or []:
            found[name_of(one.name) + "[]" * ("extra ==" in line)] |= asked(line)
        if one.read_text("direct_url.json"):  # it was named by its address, not by its name
            found[""].add(name_of(one.name))
    for path in Path(sys.prefix, "conda-meta").glob("*.json"):
        record = json.loads(path.read_text("utf-8"))
        files = "\n".join(record.get("files", []))
        carried = re.findall(r"site-packages/([^/\n]+?)-[^/\n]+\.(?:dist|egg)-info/", files)
        found[name_of(record["name"])] |= set(map(name_of, [*carried, *record["depends"]]))
    return found


def brought() -> set[str]:
    """Name all packages that the listed ones bring, themselves included."""
    known, found, waiting = needs(), set(), [""]
    waiting += [name for line in listed() for name in asked(line)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += known.get(name, ())
    return found


def imports(project: Path) -> dict[str, str]:
    """Name what model/ imports, with a file that does; only what is reached from its face."""
    found, seen, waiting = {}, set(), ["model"]
    while waiting:
        name = waiting.pop()
        place = project.joinpath(*name.split("."))
        for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if path in seen or not path.is_file():
                continue
            seen.add(path)
            package = ".".join(path.parent.relative_to(project).parts)
            for other in names(ast.parse(path.read_bytes()), package):
                if other.split(".")[0] == "model":
                    waiting.append(other)
                else:
                    found.setdefault(other.split(".")[0], path.relative_to(project).as_posix())
    return found


def names(node: ast.AST, package: str) -> Iterator[str]:
    """Give the modules that a module imports, but for those that it can do without."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
        modules = [base, *(f"{base}.{alias.name}" for alias in node.names)]
    else:
        modules = []
    for module in modules:
        parts = module.split(".")
        yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))
    spared = node.body if isinstance(node, ast.Try) or is_for_types(node) else ()
    for child in ast.iter_child_nodes(node):
        if child not in spared:
            yield from names(child, package)


def is_for_types(node: ast.AST) -> bool:
    """Whether a statement is there for type checkers alone."""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def faults(project: Path = HERE) -> list[str]:
    """Say in a sentence what model/ imports, or service/ needs, and the list does not bring."""
    owners, enough = packages_distributions(), brought()
    needed = re.findall(r"(?m)^\w\S+", (project / "service/packages.txt").read_text("utf-8"))
    found = [
        f'environment.yml lacks {name_of(line)}, which service/ needs: add the line "- {line}".'
        for line in needed
        if name_of(line) not in enough
    ]
    found = found or [*filter(None, map(unfit, needed))]
    for name, file in imports(project).items():
        packages = sorted(set(owners.get(name, ())))
        if name in sys.stdlib_module_names:
            continue
        if importlib.util.find_spec(name) is None:
            place = project / "model" / name
            if place.is_dir() or place.with_suffix(".py").exists():
                said = f"which is in model/: import it as model.{name}."
                found.append(f"{file} imports {name}, {said}")
            else:
                found.append(f"{file} imports {name}, which is not installed: {WAY_OUT}")
        elif packages and enough.isdisjoint(map(name_of, packages)):
            line = written(packages[0])
            found.append(f"{file} imports {name}, which no listed package brings: add {line}")
    return found


def unfit(line: str) -> str:
    """Say in a sentence that an installed package is not the one that service/ needs."""
    from packaging.requirements import Requirement  # is one of them, and may be missing before

    need = Requirement(line)
    here = version(need.name)
    is_fit = need.specifier.contains(here, prereleases=True)
    way_out = f'but service/ needs another: write "- {line}" in environment.yml.'
    return "" if is_fit else f"{need.name} {here} is installed, {way_out}"


def written(package: str) -> str:
    """Write the line of environment.yml for a package, from the version that is here."""
    here = version(package)
    return f'"- {package}>={here},<{int(here.split(".")[0]) + 1}" to environment.yml.'


if __name__ == "__main__":
    if "--list" in sys.argv:
        print("\n".join(listed()))
    elif said := faults(Path.cwd()):
        sys.exit("\n".join(said))
