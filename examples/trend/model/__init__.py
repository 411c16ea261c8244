"""The trend of dated measurements, by Sen's slope, with a plot."""

from model.sen import Input, Output, Refusal, predict

__all__ = ["Input", "Output", "Refusal", "predict"]
