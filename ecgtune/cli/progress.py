"""Progress of a sweep: a live table on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from ecgtune.cli.progress_tally import Best, SweepTally
from ecgtune.cli.progress_text import duration, parameters_text, rate, score_text
from ecgtune.cli.progress_view import STATES, headline, live_view, summary
from ecgtune.config import Stage
from ecgtune.sweep.events import TrialView

PLAIN_SECONDS = 10.0
_REFRESHES_PER_SECOND = 4


class SweepProgress:
    """Shows a sweep as it runs; an `ecgtune.sweep.events.SweepObserver`.

    Use it as a context manager, so that the terminal is given back whatever happens.

    Args:
        console: where to print; whether it is a terminal decides the form.
        clock: seconds that never go back.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._on_terminal = console.is_terminal and not console.is_dumb_terminal
        self._lock = RLock()  # the live display redraws itself from a thread of its own
        self._tally: SweepTally | None = None
        self._live: Live | None = None
        self._last_line: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def sweep_started(
        self,
        *,
        name: str,
        folder: Path,
        stage: Stage,
        num_samples: int,
        max_epochs: int,
        metric: str,
        mode: str,
        concurrency: int,
        throughput_unit: str,
        searcher: str,
        scheduler: str,
        earlier: Sequence[TrialView] = (),
        best: tuple[TrialView, int, float] | None = None,
    ) -> None:
        """Print what will run, and begin to show it; what an earlier run has done is counted, not printed."""
        self._tally = SweepTally(
            name,
            folder,
            stage,
            num_samples,
            max_epochs,
            metric,
            mode,
            concurrency,
            throughput_unit,
            searcher,
            scheduler,
            started_at=self._clock(),
        )
        for trial in earlier:
            self._tally.update(trial, self._clock())
        if best is not None:
            trial, epoch, score = best
            self._tally.best = Best(trial.trial_id, epoch, score, dict(trial.parameters))
        self._print(headline(self._tally))
        if self._on_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._render,
                refresh_per_second=_REFRESHES_PER_SECOND,
                transient=True,
                # Results on a standard output that is a file must not be diverted to the terminal.
                redirect_stdout=sys.stdout.isatty(),
            )
            self._live.start()

    def trial_started(self, trial: TrialView) -> None:
        """Show a trial's parameters; of one that goes on they are known."""
        self._update(trial)
        if trial.epoch:
            self._plain(f"trial {trial.trial_id} goes on after epoch {trial.epoch}")
        else:
            self._plain(f"trial {trial.trial_id} started: {parameters_text(trial.parameters)}")

    def epoch_finished(self, trial: TrialView) -> None:
        """Show an epoch; where lines are plain, one per trial and `PLAIN_SECONDS` at most."""
        self._update(trial)
        now = self._clock()
        if self._tally and now - self._last_line.get(trial.trial_id, -PLAIN_SECONDS) >= PLAIN_SECONDS:
            self._last_line[trial.trial_id] = now
            where = f"trial {trial.trial_id} epoch {trial.epoch}/{trial.max_epochs}"
            speed = f"{rate(trial.throughput)} {self._tally.unit}"
            self._plain(f"{where}: {self._tally.metric} {score_text(trial.score)}, {speed}")

    def trial_paused(self, trial: TrialView) -> None:
        """Show where a trial waits; on a terminal it leaves the running ones."""
        self._update(trial)
        self._plain(f"trial {trial.trial_id} waits at epoch {trial.epoch}: others may be worth more")

    def trial_finished(self, trial: TrialView) -> None:
        """Show how a trial ended; on a terminal in the counts alone."""
        self._update(trial)
        if self._tally is None or self._on_terminal:
            return
        word, colour = STATES[trial.state]
        reason = f" ({trial.reason})" if trial.reason else ""
        epochs = f"{trial.epoch} epoch{'' if trial.epoch == 1 else 's'}"
        best = f"best {self._tally.metric} {score_text(trial.best)}"
        left = self._tally.time_left(self._clock())
        rest = f", about {duration(max(1, left))} left" if left and self._tally.done < self._tally.num_samples else ""
        self._print(
            Text.assemble(
                f"trial {trial.trial_id} ",
                (word + reason, colour),
                f" after {epochs}, {duration(trial.seconds)}: {best}",
                f" [{self._tally.done} of {self._tally.num_samples} trials done{rest}]",
            )
        )

    def best_changed(self, trial: TrialView, epoch: int, score: float) -> None:
        """Show the new best."""
        if self._tally is None:
            return
        with self._lock:
            self._tally.best = Best(trial.trial_id, epoch, score, dict(trial.parameters))
        self._plain(f"best so far: {self._tally.metric} {score_text(score)}, trial {trial.trial_id} at epoch {epoch}")

    def note(self, message: str) -> None:
        """Print a sentence that stays."""
        self._print(Text(message))

    def sweep_finished(self, *, interrupted: bool) -> None:
        """Take the live display away and print what the sweep came to."""
        self._stop()
        if self._tally is not None:
            self._print(summary(self._tally, self._clock(), interrupted=interrupted))

    def _update(self, trial: TrialView) -> None:
        if self._tally is not None:
            with self._lock:
                self._tally.update(trial, self._clock())

    def _render(self) -> RenderableType:
        with self._lock:
            return live_view(self._tally, self._clock(), self._console.height) if self._tally else Text()

    def _plain(self, line: str) -> None:
        if not self._on_terminal:
            self._print(Text(line))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=not self._on_terminal)

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
