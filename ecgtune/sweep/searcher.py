"""Ray's searcher: hands out what the study asks for. The study learns the outcome from the record, not from here."""

import json
from typing import Any

from ray.tune.search import Searcher

from ecgtune.sweep.interrupt import Interrupt
from ecgtune.sweep.record import SweepRecord


class StudySearcher(Searcher):
    """Hands out the record's next trial as `{"trial_id": ..., "parameters": JSON}`.

    JSON, because Ray splits the keys of a nested configuration at slashes.
    """

    def __init__(self, record: SweepRecord, interrupt: Interrupt, *, metric: str, mode: str) -> None:
        super().__init__(metric=metric, mode=mode)
        self._record = record
        self._interrupt = interrupt

    def suggest(self, trial_id: str) -> Any:
        """The next configuration, or `FINISHED`."""
        following = None
        with self._interrupt.keeping_errors():
            following = self._record.next()
        if following is None:
            return Searcher.FINISHED
        number, parameters = following
        return {"trial_id": number, "parameters": json.dumps(parameters)}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing: the record has told the study already, and more exactly."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is on disk."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the study is on disk."""
