"""One course of an epidemic, drawn at random."""

from model.gillespie import Input, Output, predict

__all__ = ["Input", "Output", "predict"]
