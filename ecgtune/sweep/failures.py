"""Why trials fail, and when so many fail alike that the rest need not be tried."""

from collections.abc import Sequence

from ecgtune.errors import EcgtuneError
from ecgtune.sweep.trial import Trial

# Ways to fail; whatever else ends a trial early prunes it.
FAILURES = ("nan", "error", "out_of_memory", "lost_node")
# So many failures with one cause, before anything else has ended, end the sweep.
PATIENCE = 3


class FailingStart:
    """Watches the first trials that end."""

    def __init__(self) -> None:
        self._causes: list[str] = []
        self._over = False

    def restored(self, ended: Sequence[Trial]) -> None:
        """Trials of an earlier run: if any of them was no failure, this is not the start any more."""
        self._over = any(trial.state != "FAILED" for trial in ended)

    def see(self, trial: Trial) -> None:
        """Take in a trial that has ended.

        Raises:
            EcgtuneError: all of the first ones failed for one cause.
        """
        if self._over:
            return
        # Another file, another number: the kind of an error and its place are the cause, not every detail.
        self._causes.append(f"{trial.reason}: {trial.message.partition(':')[0]}" if trial.state == "FAILED" else "")
        self._over = not self._causes[-1] or len(set(self._causes)) > 1
        if not self._over and len(self._causes) == PATIENCE:
            said = f": {trial.message}" if trial.message else ""
            raise EcgtuneError(
                f"the first {PATIENCE} trials failed for the same cause ({trial.reason}{said}): so would the others. "
                "Mend the cause; then --resume goes on with the trials that are left, and --overwrite begins again."
            )
