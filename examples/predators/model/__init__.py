"""Hares and lynxes, by the equations of Lotka and Volterra."""

from model.lotka_volterra import Input, Output, predict

__all__ = ["Input", "Output", "predict"]
