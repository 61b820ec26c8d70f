"""A running sweep as a few lines of a terminal."""

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ecgtune.cli.progress_tally import SweepTally
from ecgtune.cli.progress_text import duration, parameters_text, rate, scalar, score_text

STATES = {"COMPLETE": ("complete", "green"), "PRUNED": ("pruned", "yellow"), "FAILED": ("failed", "red")}
_OTHER_LINES = 6


def headline(tally: SweepTally) -> Text:
    """The sweep in two lines."""
    better = "lower" if tally.mode == "min" else "higher"
    trials = f"{tally.num_samples} trials of up to {tally.max_epochs} epochs, {tally.concurrency} at once"
    return Text.assemble(
        (tally.name, "bold"),
        f": {tally.stage} sweep, {trials}\nsearcher {tally.searcher}, scheduler {tally.scheduler}; "
        f"{tally.metric}, {better} is better; written to {tally.folder}",
    )


def live_view(tally: SweepTally, now: float, height: int) -> RenderableType:
    """One line per running trial, the best so far, how many trials ended and how, and the time left.

    Args:
        tally: the sweep.
        now: the present time on the tally's clock.
        height: lines of the terminal; trials that do not fit are counted only.
    """
    return Group(*_running(tally, max(1, height - _OTHER_LINES)), _best(tally), _counts(tally), _time(tally, now))


def summary(tally: SweepTally, now: float, *, interrupted: bool) -> Text:
    """What the sweep came to, after its end."""
    ended = "interrupted" if interrupted else "finished"
    of = f" of {tally.num_samples}" if tally.done < tally.num_samples else ""
    trials = f"{tally.done}{of} trials in {duration(now - tally.started_at)}"
    text = Text.assemble((tally.name, "bold"), f" {ended}: {trials} (", _states(tally), f"){_waiting(tally)}")
    if tally.best is None:
        return text.append("\nNo trial finished an epoch.")
    text.append("\nBest ").append(f"{tally.metric} {score_text(tally.best.score)}", "bold")
    text.append(f": trial {tally.best.trial_id} at epoch {tally.best.epoch}")
    if tally.best.parameters:
        text.append(", with")
        width = max(map(len, tally.best.parameters))
        for name, value in tally.best.parameters.items():
            text.append(f"\n  {name:<{width}}  {scalar(value)}")
    return text


def _running(tally: SweepTally, places: int) -> list[RenderableType]:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, width=8)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, justify="right", min_width=8)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    titles = ("trial", "", "epoch", "score", tally.unit, "parameters")
    table.add_row(*(Text(title, "dim") for title in titles))
    trials = sorted(tally.running.values(), key=lambda trial: trial.trial_id)
    shown = trials if len(trials) <= places else trials[: places - 1]
    for trial in shown:
        leads = tally.best is not None and tally.best.trial_id == trial.trial_id
        table.add_row(
            trial.trial_id,
            ProgressBar(trial.max_epochs, trial.epoch, width=8, complete_style="cyan"),
            f"{trial.epoch}/{trial.max_epochs}",
            Text(score_text(trial.score), "bold" if leads else ""),
            rate(trial.throughput),
            Text(parameters_text(trial.parameters), "dim"),
        )
    if not trials:
        over = tally.done >= tally.num_samples
        return [Text("writing the results" if over else "waiting for a trial to start", "dim")]
    rest = len(trials) - len(shown)
    return [table, Text(f"and {rest} more running", "dim")] if rest else [table]


def _best(tally: SweepTally) -> Text:
    if tally.best is None:
        return Text("best    —")
    found = f"{tally.metric} {score_text(tally.best.score)}"
    return _line("best    ", (found, "bold"), f", trial {tally.best.trial_id} at epoch {tally.best.epoch}")


def _counts(tally: SweepTally) -> Text:
    return _line(f"trials  {tally.done} of {tally.num_samples} done (", _states(tally), f"){_waiting(tally)}")


def _waiting(tally: SweepTally) -> str:
    """How many trials wait at a rung, if any do."""
    return f", {len(tally.waiting)} wait for their turn" if tally.waiting else ""


def _time(tally: SweepTally, now: float) -> Text:
    taken = f"time    {duration(now - tally.started_at)}"
    if tally.done >= tally.num_samples:
        return _line(taken)
    left = tally.time_left(now)
    about = "—" if left is None else f"about {duration(max(1, left))}"
    return _line(f"{taken}, left: {about}")


def _states(tally: SweepTally) -> Text:
    parts = [
        Text(f"{tally.ended[state]} {word}", colour if tally.ended[state] else "dim")
        for state, (word, colour) in STATES.items()
    ]
    text = Text(", ").join(parts)
    if tally.failures:
        text.append(": " + ", ".join(f"{count} {reason}" for reason, count in tally.failures.most_common()))
    return text


def _line(*parts: str | Text | tuple[str, str]) -> Text:
    text = Text.assemble(*parts)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
