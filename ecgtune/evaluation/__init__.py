"""Honest numbers: baselines, statistics and protocols."""
