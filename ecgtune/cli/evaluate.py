"""`ecgtune evaluate`: the honest numbers of emotion sweeps, with the baselines beside them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecgtune.cli import options

if TYPE_CHECKING:
    from ecgtune.evaluation.sweep_evaluation import SweepEvaluation


def evaluate(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Emotion sweeps; the first is the reference.")],
    results: options.Results = Path("results"),
    random_encoders: Annotated[
        int, typer.Option("--random-encoders", min=0, help="Encoders with random weights to try the winner's head on.")
    ] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show what a sweep's winner is worth on people it was not trained on, and what simpler methods reach.

    ecgtune evaluate my-emotion
    """
    from ecgtune.cli.console import stderr, stdout
    from ecgtune.cli.evaluate_view import sentences, table
    from ecgtune.data.cache import cache_folder
    from ecgtune.evaluation.sweep_evaluation import evaluate_sweeps
    from ecgtune.files import write_json
    from ecgtune.sweep.folder import sweep_folder
    from ecgtune.sweep.remote_results import bring_trials, shared

    folders = [sweep_folder(results, name) for name in names]
    for name in names:
        bring_trials(results, name, weights=False)
    with stderr().status("evaluating") as status:
        evaluation = evaluate_sweeps(
            folders, cache=cache_folder(), random_encoders=random_encoders, tell=lambda text: status.update(text)
        )
    content = _plain(evaluation)
    write_json(folders[0].path / "evaluation.json", content)
    shared(results, names[0], "evaluation.json")
    if as_json:
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    console = stdout()
    console.print(f"[bold]{folders[0].name}[/]: {evaluation.target}, {evaluation.n_folds} folds by person")
    console.print(table(evaluation))
    for sentence in sentences(evaluation):
        console.print(sentence, soft_wrap=True, markup=False)


def _plain(evaluation: "SweepEvaluation") -> dict[str, Any]:
    """The evaluation as JSON has it: NaN becomes null."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [clean(item) for item in value]
        if hasattr(value, "tolist"):
            return clean(value.tolist())
        return None if isinstance(value, float) and value != value else value

    content: dict[str, Any] = clean(asdict(evaluation))
    return content
