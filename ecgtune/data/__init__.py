"""Recordings, windows and data-set folders."""
