"""The species of an iris, by Fisher's linear discriminant."""

from model.discriminant import Input, Output, load, predict, predict_batch

__all__ = ["Input", "Output", "load", "predict", "predict_batch"]
