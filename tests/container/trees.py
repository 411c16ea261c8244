"""What an image holds, read from outside: it has no shell to ask."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator

from .engine import Engine

# Docker puts these into every container
ENGINES_OWN = (".dockerenv", "dev", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf")


def tree(engine: Engine, image: str) -> dict[str, tuple]:
    """Every path of an image, with its kind, mode, owner, target and content's hash."""
    found = {}
    for member, content in members(engine, image):
        if not member.name.startswith(ENGINES_OWN):
            digest = hashlib.sha256(content).hexdigest()
            facts = (member.type, oct(member.mode), member.uid, member.gid, member.linkname)
            found[member.name] = (*facts, digest)
    return found


def members(engine: Engine, image: str) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    container = engine("create", image)
    try:
        content = engine.raw("export", container)
    finally:
        engine("rm", container)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            yield member, archive.extractfile(member).read() if member.isfile() else b""


def holds(engine: Engine, image: str, secret: bytes) -> bool:
    """Whether any layer, and not only the last view, holds a secret."""
    with tarfile.open(fileobj=io.BytesIO(engine.raw("save", image))) as saved:
        for layer in (member for member in saved if member.isfile()):
            content = saved.extractfile(layer).read()
            # Engines that keep images in containerd save their layers compressed
            content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
            if secret in content:
                return True
    return False
