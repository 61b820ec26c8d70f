"""Hyper-parameter sweeps for two-stage self-supervised ECG models."""

__version__ = "0.1.0"
