"""How hard a text is to read, by the index LIX."""

from model.lix import Input, Output, predict

__all__ = ["Input", "Output", "predict"]
