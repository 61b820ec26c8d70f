"""A sweep of one worker over known learning curves, which may be interrupted after any epoch."""

from ecgtune.sweep.schedulers import Verdict


class OneWorker:
    """Trains trial after trial as far as a scheduler lets it.

    Args:
        make: builds the scheduler.
        curves: trial -> its scores, those of epoch 1 first; all equally long.
    """

    def __init__(self, make, curves):
        self.make, self.curves = make, curves
        self.known = {}
        self.over = {}
        self.log = []

    def run(self, epochs=None):
        """Go on until all is done, or until so many more epochs are on record, the last of them without its effect.

        Returns:
            Whether all is done.
        """
        scheduler, running = self.make(), []
        for trial_id, scores in sorted(self.known.items()):
            verdict = Verdict.GO_ON
            for epoch, score in sorted(scores.items()):
                verdict = scheduler.tell(trial_id, epoch, score)
            if trial_id in self.over:
                scheduler.ended(trial_id)
            elif verdict is not Verdict.PAUSE:
                running.append((trial_id, verdict))
        while True:
            trial_id, verdict = running.pop() if running else (self._next(scheduler), Verdict.GO_ON)
            if trial_id is None:
                self.over.update(dict.fromkeys(set(self.known) - set(self.over), scheduler.reason))
                return True
            while verdict is Verdict.GO_ON and len(self.known[trial_id]) < len(self.curves[trial_id]):
                epoch = len(self.known[trial_id]) + 1
                score = self.curves[trial_id][epoch - 1]
                self.known[trial_id][epoch] = score
                self.log.append((trial_id, epoch))
                epochs = None if epochs is None else epochs - 1
                if epochs == 0:
                    return False
                verdict = scheduler.tell(trial_id, epoch, score)
            if verdict is not Verdict.PAUSE:
                self.over[trial_id] = scheduler.reason if verdict is Verdict.STOP else ""
                scheduler.ended(trial_id)

    def _next(self, scheduler):
        woken = scheduler.wake(idle=False)
        if woken is not None:
            return woken
        new = next((trial_id for trial_id in sorted(self.curves) if trial_id not in self.known), None)
        if new is not None:
            self.known[new] = {}
            return new
        return scheduler.wake(idle=True)
