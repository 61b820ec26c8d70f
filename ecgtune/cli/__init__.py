"""The command line: arguments, calls and printing. Nothing heavy is imported before a command needs it."""

from ecgtune.cli.app import main

__all__ = ["main"]
