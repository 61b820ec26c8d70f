"""`ecgtune train`: one configuration of one stage, without a sweep."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from ecgtune.cli import options
from ecgtune.cli.console import stderr, stdout
from ecgtune.convolution_path import ConvolutionPath

app = typer.Typer(no_args_is_help=True, help="Train one configuration of one stage.")

ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--config", help="A TOML file with the tables run and parameters; default: the published method."),
]
Out: TypeAlias = Annotated[
    Path | None, typer.Option("--out", help="The run's folder; default: results/<stage>-<date>-<time>.")
]
Epochs: TypeAlias = Annotated[int | None, typer.Option("--epochs", help="Epochs of the run.")]
Seed: TypeAlias = Annotated[int | None, typer.Option("--seed", help="Of everything that is drawn.")]
Device: TypeAlias = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Overwrite: TypeAlias = Annotated[bool, typer.Option("--overwrite", help="Write into a folder that exists already.")]


@app.command()
def pretext(
    config: ConfigFile = None,
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="A data-set folder; may be given several times.")
    ] = None,
    out: Out = None,
    epochs: Epochs = None,
    seed: Seed = None,
    hold_out: Annotated[
        float | None,
        typer.Option("--hold-out", help="The share of a labelled data set's people left to the emotion stage."),
    ] = None,
    device: Device = "auto",
    convolution: options.Convolution = None,
    overwrite: Overwrite = False,
) -> None:
    """Train an encoder on a pretext task; the best epoch by validation loss is kept.

    ecgtune train pretext --data data/mitdb --epochs 10

    ecgtune train pretext --config my.toml --out results/mine
    """
    from ecgtune.cli.train_view import TrainView
    from ecgtune.training.device import resolve_device
    from ecgtune.training.memory import keep_freed_memory
    from ecgtune.training.path import choose_path
    from ecgtune.training.pretrain import pretrain
    from ecgtune.training.run import CONFIG, open_pretext, record, write_config
    from ecgtune.training.run_file import read_pretext_run
    from ecgtune.training.save import save_pretext

    folders = [str(folder) for folder in data] if data else None
    file = read_pretext_run(config, data=folders, epochs=epochs, seed=seed, hold_out=hold_out)
    run, where, target = file.run, resolve_device(device), _folder(out, "pretext", overwrite)
    path = choose_path(convolution, where)
    _say_fused(path, where)
    keep_freed_memory()
    pool, split = open_pretext(run)
    people = [len(set(pool.persons[side].tolist())) for side in (split.train, split.val)]
    _say(f"{len(split.train)} windows of {people[0]} people to train on, {len(split.val)} of {people[1]} to validate")
    if split.held_out:
        _say(f"{len(split.held_out)} people are held out, so that the emotion stage can validate on them")
    with TrainView(run.epochs, "views") as view:
        results = pretrain(
            file.config,
            pool,
            split,
            epochs=run.epochs,
            seed=run.seed,
            device=where,
            path=path,
            progress=view.within,
        )
        write_config(target / CONFIG, run, file.config)
        best = record(
            results,
            target,
            stage="pretext",
            save=lambda folder, result: save_pretext(folder / "best", file.config, pool, split, result, seed=run.seed),
            on_epoch=view.epoch,
        )
    _say(f"best epoch {best.epoch}: val_loss {best.metrics['val_loss']:.4f}")
    stdout().print(str(target / "best"), soft_wrap=True, markup=False)


@app.command()
def emotion(
    config: ConfigFile = None,
    data: Annotated[Path | None, typer.Option("--data", help="A labelled data-set folder.")] = None,
    pretext: Annotated[
        Path | None, typer.Option("--pretext", help="A pretext model's folder, e.g. results/mine/best.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="A target; default: the data set's first.")] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="A score above it is the positive class; default: the target's.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option("--folds", min=2, help="Folds by person; default: 5, or fewer with fewer people.")
    ] = None,
    transductive: Annotated[
        bool, typer.Option("--transductive", help="Validate also on people whose ECG the encoder was trained on.")
    ] = False,
    out: Out = None,
    epochs: Epochs = None,
    seed: Seed = None,
    device: Device = "auto",
    convolution: options.Convolution = None,
    overwrite: Overwrite = False,
) -> None:
    """Train emotion heads on a pretext encoder, over folds by person; the best epoch by balanced accuracy is kept.

    ecgtune train emotion --data data/eegmat --pretext results/mine/best --target arithmetic
    """
    from ecgtune.cli.train_view import TrainView
    from ecgtune.training.device import resolve_device
    from ecgtune.training.finetune import finetune
    from ecgtune.training.path import choose_path
    from ecgtune.training.predictions import PREDICTIONS, write_predictions
    from ecgtune.training.result import EpochResult
    from ecgtune.training.run import CONFIG, open_emotion, record, write_config
    from ecgtune.training.run_file import read_emotion_run
    from ecgtune.training.save import save_emotion

    file = read_emotion_run(
        config,
        data=str(data) if data else None,
        pretext=str(pretext) if pretext else None,
        target=target,
        threshold=threshold,
        folds=folds,
        transductive=transductive or None,
        epochs=epochs,
        seed=seed,
    )
    run, where, place = file.run, resolve_device(device), _folder(out, "emotion", overwrite)
    path = choose_path(convolution, where)
    if file.config.unfreeze:
        _say_fused(path, where)
    with TrainView(run.epochs, "windows") as view:
        view.doing("embedding")
        opened = open_emotion(run, path=path, progress=view.within)
        view.doing(f"epoch 1/{run.epochs}")
        positive = int(opened.classes.sum())
        _say(
            f"{opened.target.name} > {opened.threshold:g}: {positive} of {len(opened.classes)} windows; "
            f"{len(opened.folds)} folds over {len(opened.validated)} people"
        )
        for note in opened.notes:
            _say(note)
        if opened.transductive:
            _say("transductive: the encoder has seen people who are validated on, and the model's card says so")

        def save(folder: Path, result: EpochResult) -> None:
            save_emotion(folder / "best", file.config, opened, result, seed=run.seed)
            predictions = result.snapshot().predictions
            if predictions is not None:
                write_predictions(folder / PREDICTIONS, opened, predictions)

        results = finetune(file.config, opened, epochs=run.epochs, seed=run.seed, device=where, progress=view.within)
        write_config(place / CONFIG, run, file.config)
        best = record(results, place, stage="emotion", save=save, on_epoch=view.epoch)
    scores = best.metrics
    _say(
        f"best epoch {best.epoch}: balanced accuracy {scores['val_balanced_accuracy']:.3f} "
        f"(standard deviation {scores['val_balanced_accuracy_sd']:.3f} over the folds), AUC {scores['val_auc']:.3f}; "
        "an epoch that was chosen by the score it is told with is told too well"
    )
    stdout().print(str(place / "best"), soft_wrap=True, markup=False)


def _folder(out: Path | None, stage: str, overwrite: bool) -> Path:
    from ecgtune.files import refuse_existing
    from ecgtune.training.run import is_without_epochs

    chosen = out or Path("results") / f"{stage}-{datetime.now():%Y%m%d-%H%M%S}"
    refuse_existing(chosen, overwrite=overwrite or is_without_epochs(chosen))
    return chosen


def _say_fused(path: ConvolutionPath, device: str) -> None:
    from ecgtune.models import fused

    if path in fused.FUSED:
        reason = fused.why_not(path, device)
        _say(f"{path} is computed as bf16: {reason}." if reason else fused.notice(path, device))


def _say(text: str) -> None:
    stderr().print(text, soft_wrap=True, markup=False)
