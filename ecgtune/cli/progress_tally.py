"""What is known of a running sweep: who runs, who ended, the best so far, and how long the rest may take."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ecgtune.config import Scalar, Stage
from ecgtune.sweep.events import TrialView


@dataclass(frozen=True)
class Best:
    """The best epoch of the sweep so far."""

    trial_id: str
    epoch: int
    score: float
    parameters: dict[str, Scalar]


@dataclass
class SweepTally:
    """A sweep as its display knows it; times in seconds of one clock.

    Args:
        name: of the sweep.
        folder: where it is written.
        stage: what it sweeps.
        num_samples: trials in all.
        max_epochs: the most a trial may run.
        metric: what it pursues.
        mode: `min` or `max`.
        concurrency: trials that run at once.
        unit: of the throughput.
        searcher: who chooses the configurations.
        scheduler: who stops or pauses trials.
        started_at: when it started.
    """

    name: str
    folder: Path
    stage: Stage
    num_samples: int
    max_epochs: int
    metric: str
    mode: str
    concurrency: int
    unit: str
    searcher: str
    scheduler: str
    started_at: float
    running: dict[str, TrialView] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    seen_at: dict[str, float] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    ended_seconds: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    best: Best | None = None

    def update(self, trial: TrialView, now: float) -> None:
        """Take in a trial as it stands at `now`."""
        self.waiting.discard(trial.trial_id)
        if trial.state == "RUNNING":
            self.running[trial.trial_id] = trial
            self.seen_at[trial.trial_id] = now
        elif trial.state == "PAUSED":
            self.running.pop(trial.trial_id, None)
            self.waiting.add(trial.trial_id)
        else:
            self.running.pop(trial.trial_id, None)
            self.ended[trial.state] += 1
            self.ended_seconds += trial.seconds
            if trial.state == "FAILED":
                self.failures[trial.reason] += 1

    @property
    def done(self) -> int:
        """Trials that ended, however they did."""
        return self.ended.total()

    def time_left(self, now: float) -> float | None:
        """Seconds until the last trial ends, or None before the first one has ended, and while others wait.

        A trial is expected to last as long as those that ended did on average, pruned ones included, since as many of
        those to come will be pruned. A running one is owed what it lacks of that.
        """
        if not self.done or self.waiting:
            return None
        mean = self.ended_seconds / self.done
        lasting = (trial.seconds + now - self.seen_at[name] for name, trial in self.running.items())
        owed = sum(max(0.0, mean - seconds) for seconds in lasting)
        to_start = max(0, self.num_samples - self.done - len(self.running))
        return (to_start * mean + owed) / max(1, min(self.concurrency, to_start + len(self.running)))
