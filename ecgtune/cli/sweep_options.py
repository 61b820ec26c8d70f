"""The options that both commands of `ecgtune sweep` take, and what they come to."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgtune.cli import options
from ecgtune.cli.labels import Labels, labels
from ecgtune.config import Stage
from ecgtune.convolution_path import wanted_path
from ecgtune.errors import InputError

if TYPE_CHECKING:
    from ecgtune.space import SearchSpace
    from ecgtune.sweep.plan import Resources


@dataclass(frozen=True)
class SweepOptions:
    """What was typed, but for what only one stage has; each field is an option."""

    space: options.Space = None
    name: options.Name = None
    results: options.Results = Path("results")
    num_samples: options.NumSamples = None
    max_epochs: options.MaxEpochs = None
    seed: options.Seed = None
    max_concurrent: options.MaxConcurrent = None
    cpus_per_trial: options.CpusPerTrial = None
    gpus_per_trial: options.GpusPerTrial = None
    convolution: options.Convolution = None
    address: options.Address = None
    resource: options.Custom = None
    label: Labels = None
    ship_data: options.ShipData = False
    keep: options.Keep = None
    warm_start: options.WarmStart = None
    overwrite: options.Overwrite = False
    resume: options.Resume = False

    def check(self) -> None:
        """Tell what is wrong with the words themselves, before anything is read or begun.

        Raises:
            InputError: a value is no value of its option, or two options contradict each other.
        """
        options.amounts(self.resource or [])
        labels(self.label or [])
        if self.convolution is not None or not self.resume:
            wanted_path(self.convolution)
        for given, name, what in ((self.ship_data, "--ship-data", "sends data to"), (self.label, "--label", "chooses")):
            if given and self.address is None:
                raise InputError(f"{name} {what} the nodes of a cluster: name one with --address, or leave it out.")
        if self.resume and self.overwrite:
            raise InputError("--resume goes on with a sweep and --overwrite removes it. Give one of them.")
        if self.resume and self.name is None:
            raise InputError("--resume: say which sweep, with --name; `ecgtune list` shows them.")

    def searched(self, stage: Stage, **settings: float | None) -> "SearchSpace":
        """The search space, with the command line's settings in place of its own.

        Raises:
            InputError: there is no such space, or it cannot be searched like this.
        """
        from ecgtune.space import find_space, override, read_space
        from ecgtune.sweep.finite import require_searchable

        space = read_space(find_space(self.space or stage, stage), stage)
        given = {"num_samples": self.num_samples, "max_epochs": self.max_epochs, "seed": self.seed, **settings}
        space = replace(space, settings=override(space.settings, **given))
        require_searchable(space)
        return space

    def resources(self) -> "Resources":
        """What the sweep may use."""
        import torch

        from ecgtune.sweep.plan import Resources

        gpus = self.gpus_per_trial
        return Resources(
            self.address,
            self.cpus_per_trial,
            (1.0 if torch.cuda.is_available() else 0.0) if gpus is None else gpus,
            self.max_concurrent,
            self.convolution,
            self.keep,
            options.amounts(self.resource or []),
            self.ship_data,
            labels(self.label or []),
        )


def with_sweep_options(run: Callable[..., None]) -> Callable[..., None]:
    """Give a command, whose last parameter is `common: SweepOptions`, these options."""
    own = [each for each in inspect.signature(run).parameters.values() if each.name != "common"]
    shared = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=each.type)
        for each in fields(SweepOptions)
    ]

    @wraps(run)
    def command(**given: Any) -> None:
        common = SweepOptions(**{each.name: given.pop(each.name) for each in shared})
        run(common=common, **given)

    # What Typer reads, twice: here and in the annotations.
    parameters = [*(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own), *shared]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command
