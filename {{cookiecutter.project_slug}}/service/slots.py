"""Slots for long bodies: one model process fewer than there are reads such bodies at a time.

Reading 10 MB takes a third of a second. Without slots, a few such bodies would keep all model
processes, and every short request would wait.
"""

import fcntl
import os
import sys
import tempfile
import time
from contextlib import ExitStack, suppress

PAUSE = 0.01  # seconds between two tries to take a slot


class Slots:
    """The slots of all service processes: a lock on a byte of a file, which ends with a process."""

    def __init__(self) -> None:
        # On Linux a file in no folder, since none may be writable
        is_linux = sys.platform == "linux"
        self.file = os.memfd_create("slots") if is_linux else tempfile.TemporaryFile()  # noqa: SIM115
        self.number, self.taken = 1, set()

    def wait(self, seconds: float) -> ExitStack:
        """Wait for a slot, which close() gives back.

        :raise TimeoutError: if there is none in time
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for slot in set(range(self.number)) - self.taken:
                with suppress(OSError):  # another process has it
                    fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
                    self.taken.add(slot)
                    held = ExitStack()
                    held.callback(self.free, slot)
                    return held
            time.sleep(PAUSE)
        raise TimeoutError

    def free(self, slot: int) -> None:
        """Give a slot back."""
        self.taken.remove(slot)
        fcntl.lockf(self.file, fcntl.LOCK_UN, 1, slot)
