"""What `ecgtune train` shows: a bar within the epoch, and one line per epoch."""

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ecgtune.cli.console import stderr
from ecgtune.training.result import EpochResult


class TrainView:
    """A bar on standard error where that is a terminal, and a line per epoch wherever it is.

    Args:
        epochs: of the whole run.
        unit: what the throughput counts.
    """

    def __init__(self, epochs: int, unit: str) -> None:
        self._epochs = epochs
        self._unit = unit
        self._console = stderr()
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
        self._bar = Progress(
            *columns,
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(f"epoch 1/{epochs}", total=None)

    def __enter__(self) -> "TrainView":
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def doing(self, what: str) -> None:
        """Begin a bar for something else than an epoch."""
        self._bar.reset(self._task, description=what, total=None)

    def within(self, done: int, total: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done, total=total)

    def epoch(self, result: EpochResult, best: bool) -> None:
        """Print an epoch's line and begin the next one's bar."""
        self._console.print(epoch_line(result, self._epochs, self._unit, best), soft_wrap=True, markup=False)
        self.doing(f"epoch {min(result.epoch + 1, self._epochs)}/{self._epochs}")


def epoch_line(result: EpochResult, epochs: int, unit: str, best: bool) -> str:
    """`epoch  3/30  loss 0.1823 val 0.2011  accuracy 0.512 val 0.498  lr 1.00e-03  210 views/s  best`."""
    metrics = result.metrics
    parts = [
        f"epoch {result.epoch:>{len(str(epochs))}}/{epochs}",
        f"loss {metrics['train_loss']:.4f} val {metrics['val_loss']:.4f}",
        f"accuracy {metrics['train_accuracy']:.3f} val {metrics['val_accuracy']:.3f}",
    ]
    if "val_balanced_accuracy" in metrics:
        parts.append(f"balanced {metrics['train_balanced_accuracy']:.3f} val {metrics['val_balanced_accuracy']:.3f}")
        parts.append(f"AUC {metrics['val_auc']:.3f}")
    parts += [f"lr {result.lr:.2e}", f"{result.throughput:,.0f} {unit}/s"]
    return "  ".join(parts + (["best"] if best else []))
