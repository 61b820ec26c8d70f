"""The search methods that are compared, by the names under which results are shown."""

from dataclasses import dataclass, replace

from replay_methods import OneEpoch, Ours, StockRay

from ecgtune.sweep.schedulers import SCHEDULERS

STOCK = "stock Ray: OptunaSearch, ASHA"
RANDOM = "random"
# What the shipped spaces of a stage have; the tables are named after their stage.
DEFAULTS = {
    "emotion": "ours: gp, asha_promote, grace 1/5, reduction 4",
    "pretext": "ours: tpe, asha_promote, grace 1/5, reduction 4",
}


@dataclass(frozen=True)
class Method:
    """How to make a search.

    Args:
        kind: `stock`, `one epoch` or `ours`.
        searcher: `tpe` or `random`, in `ours` any name that a space file may give.
        scheduler: a name that a space file may give; for `stock` `asha` or `none`.
        grace: the share of the epochs before which no trial is stopped, at least one epoch; 0 leaves stock its default.
        reduction_factor: for `ours`.
        k: for `one epoch`.
        free_repeats: whether epochs of a configuration that was trained before cost nothing.
    """

    kind: str
    searcher: str = "random"
    scheduler: str = "asha"
    grace: float = 0.0
    reduction_factor: int = 2
    k: int = 3
    free_repeats: bool = False


def _ours():
    """Our searchers and schedulers, with the settings that are worth a look."""
    shares = {"1 epoch": 0.0, "1/20": 1 / 20, "1/9": 1 / 9, "1/5": 1 / 5, "1/3": 1 / 3}
    for searcher in ("random", "tpe", "gp"):
        yield f"ours: {searcher}, none", Method("ours", searcher, "none")
        for scheduler in ("asha", "asha_promote", "pasha", "hyperband", "median"):
            for share, grace in shares.items():
                for reduction in (2, 3, 4):
                    name = f"ours: {searcher}, {scheduler}, grace {share}, reduction {reduction}"
                    yield name, Method("ours", searcher, scheduler, grace, reduction)


METHODS = {
    RANDOM: Method("stock", "random", "none"),
    "random, repeats free": Method("stock", "random", "none", free_repeats=True),
    "random, ASHA": Method("stock", "random", "asha"),
    "random, ASHA, repeats free": Method("stock", "random", "asha", free_repeats=True),
    STOCK: Method("stock", "tpe", "asha"),
    f"{STOCK}, repeats free": Method("stock", "tpe", "asha", free_repeats=True),
    f"{STOCK}, with our grace 1/5": Method("stock", "tpe", "asha", grace=1 / 5),
    **{f"one epoch, then top {k}": Method("one epoch", k=k) for k in (1, 3, 5, 10, 20)},
    **dict(_ours()),
}


def build(method, table, folder, workers, seed):
    """A fresh search."""
    if method.kind == "stock":
        grace = max(1, round(method.grace * table.epochs)) if method.grace else None
        return StockRay(
            table, workers, seed, random=method.searcher == "random", asha=method.scheduler == "asha", grace=grace
        )
    if method.kind == "one epoch":
        return OneEpoch(table, seed, k=method.k)
    settings = replace(
        table.space.settings,
        searcher=method.searcher,
        scheduler=method.scheduler,
        grace_period=max(1, round(method.grace * table.epochs)),
        reduction_factor=method.reduction_factor,
        max_epochs=table.epochs,
        num_samples=len(table.scores),
    )
    space = replace(table.space, settings=settings)
    scheduler = SCHEDULERS[method.scheduler](settings, table.epochs)
    return Ours(table, folder / "sweep", space, settings.num_samples, seed, scheduler)
