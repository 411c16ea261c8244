"""A radiation counter, which counts for five seconds."""

from model.counter import Input, Output, predict

__all__ = ["Input", "Output", "predict"]
