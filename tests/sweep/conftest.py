"""Plans of a job whose curves are known, and a display that remembers."""

from functools import partial
from pathlib import Path

import pytest

from ecgtune.space import Categorical, Float, SearchSpace, SweepSettings
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.plan import Resources, SweepPlan
from tests.sweep.curves import HEALTHY, CurveJob


class Listener:
    """A `SweepObserver` that remembers, and can act on the nth event of a name."""

    def __init__(self):
        self.events = []
        self.actions = {}

    def on(self, name, count, action):
        self.actions[name, count] = action

    def __getattr__(self, name):
        def heard(*args, **kwargs):
            self.events.append((name, args, kwargs))
            self.actions.pop((name, len(self.named(name))), lambda: None)()

        return heard

    def named(self, name):
        return [args[0] if args else kwargs for event, args, kwargs in self.events if event == name]


@pytest.fixture
def listener():
    return Listener()


def make_plan(
    place: Path, *habits, name="curves", max_concurrent=2, max_epochs=4, folder=None, **settings
) -> SweepPlan:
    """A plan of the known curves below `place`: learning rates and habits to choose from."""
    values = {"num_samples": 6, "scheduler": "none", "searcher": "random", "metric": "val_loss", "mode": "min"}
    space = SearchSpace(
        path=Path("curves.toml"),
        question="",
        settings=SweepSettings(stage="pretext", max_epochs=max_epochs, **{**values, **settings}),
        parameters=(
            Float("pretext/adam/lr", 1e-5, 1e-1, log=True),
            Categorical("pretext/batch_size", habits or (HEALTHY,)),
        ),
        fixed={"pretext/encoder/pool_stride": 8},
    )
    where = SweepFolder(folder or place / "results" / name)
    return SweepPlan(where, space, CurveJob(max_epochs), Resources(max_concurrent=max_concurrent))


@pytest.fixture
def curve_plan(tmp_path: Path):
    """`make_plan` in the test's own folder."""
    return partial(make_plan, tmp_path)


@pytest.fixture
def every_epoch(monkeypatch):
    """Workers report each epoch by itself, and keep a resumable state of each."""
    monkeypatch.setattr("ecgtune.sweep.drive.BLOCK_SECONDS", 0.0)
    monkeypatch.setattr("ecgtune.sweep.drive.STATE_SECONDS", 0.0)
