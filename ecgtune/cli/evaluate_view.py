"""What `ecgtune evaluate` prints: a table, and the sentences without which its numbers would mislead."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from ecgtune.evaluation.statistics import Interval, Metric
    from ecgtune.evaluation.sweep_evaluation import Selection, SweepEvaluation
    from ecgtune.sweep.lineage import EncoderOrigin

_WORDS: "dict[Metric, str]" = {
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "auc": "AUC",
    "accuracy": "accuracy",
}


def table(evaluation: "SweepEvaluation") -> "Table":
    """One line per row; where the terminal is narrow an interval moves below its value."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column("", no_wrap=True)
    # As wide as the longest interval, so that none is broken.
    shown.add_column("balanced accuracy", min_width=11)
    shown.add_column("AUC", min_width=11)
    shown.add_column(f"winner's lead in {_WORDS[evaluation.lead_metric]}", min_width=13)
    for row in evaluation.rows:
        shown.add_row(
            row.name + (" *" if row.transductive else ""),
            score(row.windows["balanced_accuracy"]),
            score(row.windows["auc"]),
            _lead(row.lead[evaluation.lead_metric]) if row.lead else "",
        )
    return shown


def sentences(evaluation: "SweepEvaluation") -> Iterator[str]:
    """What stands below the table, one line each."""
    for name, selection in evaluation.sweeps.items():
        yield f"{name}: {_origin(selection.encoder)}"
        yield f"{name}: {_choice(selection)}"
    yield (
        "Scores are over all validated windows together; a sweep's own score is the mean over its folds. "
        "Intervals: 95 %, by resampling people; a lead is the first row minus this one, on the same resamples. "
        "A winner's own row is the most optimistic: it was chosen by these very numbers. Defaults and random encoders "
        "had their best epoch chosen on the validated people. The majority class and the heart rate had nothing "
        "chosen on them, so the winner's leads over these are overstated."
    )
    if any(row.transductive for row in evaluation.rows) or any(s.transductive for s in evaluation.sweeps.values()):
        yield "* transductive: unlabelled windows of the validated people were used, beyond the one to be classified."


def score(interval: "Interval") -> str:
    """A score with its interval."""
    return f"{interval.value:.3f} [{interval.low:.2f},{interval.high:.2f}]"


def _lead(interval: "Interval") -> str:
    return f"{interval.value:+.3f} [{interval.low:+.2f},{interval.high:+.2f}]"


def _choice(selection: "Selection") -> str:
    corrected = selection.estimate.corrected
    return (
        f"choosing the best of {selection.n_trials} trials by {_WORDS[selection.metric]} is worth a balanced accuracy "
        f"of {score(corrected['balanced_accuracy'])} and an AUC of {score(corrected['auc'])}"
        f"{' *' if selection.transductive else ''} on people left out of that choice. Still a little optimistic: "
        f"{_listed(selection.not_corrected)} also used these people, which is not corrected."
    )


def _origin(encoder: "EncoderOrigin") -> str:
    if encoder.sweep is None:
        source = f"the pretext model {encoder.model}, which is of no sweep"
    else:
        source = f"the pretext sweep {encoder.sweep}, trial {encoder.trial}"
    if encoder.random_weights:
        return f"its encoder has random weights, in the architecture of {source}."
    return f"its encoder comes from {source}."


def _listed(items: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
