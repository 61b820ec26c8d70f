"""Ray's callback: passes Ray's events on to the record."""

import json
from typing import Any

from ray.exceptions import OutOfMemoryError, RayActorError
from ray.tune import Callback

from ecgtune.sweep.dispatch import WORKER_DEATHS, Dispatcher
from ecgtune.sweep.interrupt import Interrupt
from ecgtune.sweep.record import SweepRecord


class RecordCallback(Callback):
    """Translates Ray's trials into the record's."""

    def __init__(self, dispatcher: Dispatcher, record: SweepRecord, interrupt: Interrupt) -> None:
        self._dispatcher = dispatcher
        self._record = record
        self._interrupt = interrupt

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A worker begins or takes up a trial."""
        with self._interrupt.keeping_errors():
            self._record.started(trial.config["trial_id"], json.loads(trial.config["parameters"]))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A worker reports."""
        with self._interrupt.keeping_errors():
            self._record.report(trial.config["trial_id"], result)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended, by itself or by the scheduler."""
        with self._interrupt.keeping_errors():
            self._record.finished(trial.config["trial_id"])

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A worker died and its trial will be handed to another one."""
        with self._interrupt.keeping_errors():
            error = trial.get_pickled_error()
            self._record.lost_worker(trial.config["trial_id"], str(error) if _killed_for_memory(error) else "")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A worker died and is given up; if it was only about to begin, Ray gives up at once, and we do not."""
        with self._interrupt.keeping_errors():
            trial_id, error = trial.config["trial_id"], trial.get_pickled_error()
            parameters = json.loads(trial.config["parameters"])
            if not self._record.trains(trial_id):
                died = error is None or isinstance(error, RayActorError)
                if died and self._dispatcher.again(trial_id, parameters):
                    return
                self._record.started(trial_id, parameters)
            self._record.finished(trial_id, broken=_why(error))


def _killed_for_memory(error: Exception | None) -> bool:
    """Whether Ray itself killed the worker, since its node was short of memory."""
    # Of every worker that was killed Ray says that memory may have been the cause; this it says only where it was.
    return isinstance(error, OutOfMemoryError) or (
        isinstance(error, RayActorError) and "running low on memory" in str(error)
    )


def _why(error: Exception | None) -> tuple[str, str]:
    """Reason and message for a worker that is given up: it was killed or cut off, or it cannot even begin."""
    if _killed_for_memory(error):
        return "out_of_memory", f"its worker was killed {WORKER_DEATHS + 1} times, since its node ran out of memory."
    if error is None or isinstance(error, RayActorError):
        return "lost_node", f"its worker died {WORKER_DEATHS + 1} times; was it killed for want of memory?"
    return "error", str(error).strip().splitlines()[-1]
