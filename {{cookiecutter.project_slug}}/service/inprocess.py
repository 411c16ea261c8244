"""MODEL_PROCESSES=0: the model in the process of Flask's own server, for a debugger."""

import threading

from service.frames import Frame


class InProcess:
    """The model in this process, where a debugger can stop it; one request at a time."""

    def __init__(self, settings: dict) -> None:
        from service.runner.__main__ import load  # a service process has no model otherwise

        self.lock = threading.Lock()
        self.model, self.told = load(settings)

    def facts(self) -> dict:
        """Give the facts about the model."""
        return self.told | {"processes": 1}

    def state(self) -> dict:
        """Say that it is ready."""
        return {"ready": 1, "requests": [""] * self.lock.locked(), "reason": ""}

    def ask(
        self, kind: bytes, body: bytes = b"", note: bytes = b"", caller: object = None
    ) -> Frame:
        """Let the model answer."""
        with self.lock:
            return self.model.answer(kind, note, body)

    def close(self) -> None:
        """Leave the model as it is."""
