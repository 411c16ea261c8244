"""Packages of other Debian releases on any Debian machine: fetched by apt, never installed."""

import re
import subprocess
from pathlib import Path

SOURCE = (
    "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    " http://deb.debian.org/debian {release} main\n"
)


class Archive:
    """Debian's archive, seen through an apt that knows nothing of this machine."""

    def __init__(self, folder: Path, release: str = "trixie") -> None:
        self.folder = folder = folder / release
        self.packages = folder / "archives"
        for name in ("lists/partial", "archives/partial", "empty/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "sources.list").write_text(SOURCE.format(release=release))
        (folder / "status").touch()

    def unpack(self, names: list[str], target: Path, dependencies: bool = False) -> None:
        """Unpack packages, and what they need to run if asked, into a folder."""
        target.mkdir(parents=True, exist_ok=True)
        self._apt(self.packages, "update", "--quiet=2")
        action = ["install", "--yes", "--no-install-recommends", "--download-only"]
        action = action if dependencies else ["download"]
        listing = self._apt(self.folder / "empty", "--print-uris", *action, *names)
        files = re.findall(r"^'\S+' (\S+\.deb) ", listing, re.MULTILINE)
        self._apt(self.packages, *action, *names)
        # base-files says where /bin and /lib point to, so it comes first
        for name in sorted(files, key=lambda name: not name.startswith("base-files_")):
            subprocess.run(["dpkg", "-x", self.packages / name, target], check=True)

    def _apt(self, packages: Path, *arguments: str) -> str:
        """Run apt-get; it does not list what the folder of packages already has."""
        settings = {
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::main": "-",
            "Dir::Etc::parts": "-",
            "Dir::State::lists": self.folder / "lists",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache::archives": packages,
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "APT::Sandbox::User": "root",
        }
        options = [f"--option={name}={value}" for name, value in settings.items()]
        return subprocess.run(
            ["apt-get", *options, *arguments],
            cwd=packages,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
