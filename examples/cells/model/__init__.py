"""How many bright cells there are in a picture."""

from model.otsu import Input, Output, predict

__all__ = ["Input", "Output", "predict"]
