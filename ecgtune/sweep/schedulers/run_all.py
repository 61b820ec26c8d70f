"""No early stopping."""

from ecgtune.sweep.schedulers.protocol import Verdict


class RunAll:
    """Every trial is trained to its last epoch."""

    milestones: tuple[int, ...] = ()
    reason = "none"
    pauses = False

    def tell(self, trial_id: str, epoch: int, score: float) -> Verdict:  # noqa: ARG002 the protocol's
        """GO_ON."""
        return Verdict.GO_ON

    def ended(self, trial_id: str) -> None:
        """Nothing."""

    def wake(self, *, idle: bool) -> str | None:  # noqa: ARG002 the protocol's
        """None: no trial is ever paused."""
        return None
