"""Ray's searcher: hands out what the dispatcher gives. The study learns the outcome from the record, not from here."""

import json
from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher

from ecgtune.sweep.dispatch import Dispatcher
from ecgtune.sweep.interrupt import Interrupt


class StudySearcher(Searcher):
    """Hands out the next trial as `{"trial_id": ..., "parameters": JSON}`.

    JSON, because Ray splits the keys of a nested configuration at slashes.

    Args:
        dispatcher: knows the next one.
        interrupt: may have ended the sweep.
        metric: what makes a trial good.
        mode: whether it is to be small or large.
        capacity: how many trials there is room for now; None where Ray itself keeps to a number that does not change.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        interrupt: Interrupt,
        *,
        metric: str,
        mode: str,
        capacity: Callable[[], int] | None = None,
    ) -> None:
        super().__init__(metric=metric, mode=mode)
        self._capacity = capacity
        self._dispatcher = dispatcher
        self._interrupt = interrupt

    def suggest(self, trial_id: str) -> Any:
        """The next configuration; None where one may come yet; or `FINISHED`."""
        if self._capacity and not self._interrupt.stopped and self._dispatcher.in_flight >= self._capacity():
            return None
        following = None
        with self._interrupt.keeping_errors():
            following = self._dispatcher.next()
        if following is None:
            return None if self._dispatcher.busy and not self._interrupt.stopped else Searcher.FINISHED
        number, parameters = following
        return {"trial_id": number, "parameters": json.dumps(parameters)}

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Ray pickles its tuner, with all that hangs on it, into a file that nothing here ever reads."""
        return {}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing: the record has told the study already, and more exactly."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is on disk."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the study is on disk."""
