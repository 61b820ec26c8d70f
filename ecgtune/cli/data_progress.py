"""The progress bar of `ecgtune data prepare`."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ecgtune.cli.console import stderr


class PeopleProgress:
    """A bar on standard error, one step per person; nothing where that is no terminal.

    Args:
        total: persons to be prepared, None where only reading tells.
    """

    def __init__(self, total: int | None) -> None:
        columns = (TextColumn("preparing"), BarColumn(), MofNCompleteColumn(), TextColumn("people"))
        console = stderr()
        self._bar = Progress(
            *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
        )
        self._task = self._bar.add_task("people", total=total)

    def __enter__(self) -> "PeopleProgress":
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def show(self, done: int, total: int | None) -> None:
        """Move the bar to `done` people of `total`."""
        self._bar.update(self._task, completed=done, total=total)
