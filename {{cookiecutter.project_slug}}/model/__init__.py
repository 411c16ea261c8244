"""The face of the model: what it takes, what it gives, and the function between."""

from model.square import Input, Output, predict

__all__ = ["Input", "Output", "predict"]
