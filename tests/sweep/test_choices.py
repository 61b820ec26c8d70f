"""Whole sweeps in Ray, with each scheduler and each searcher by its name."""

import csv
import math
from dataclasses import replace

import pytest

from ecgtune.space import Categorical
from ecgtune.sweep.plan import Resources
from ecgtune.sweep.runner import run_sweep
from ecgtune.sweep.schedulers import SCHEDULERS
from tests.sweep.curves import HEALTHY
from tests.sweep.schedulers.one_worker import OneWorker

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "scheduler", [pytest.param(name, marks=[] if name == "pasha" else [pytest.mark.slow]) for name in SCHEDULERS]
)
def test_a_sweep_goes_as_its_scheduler_says(curve_plan, listener, scheduler):
    plan = curve_plan(HEALTHY, scheduler=scheduler, num_samples=14, max_epochs=9, max_concurrent=1, seed=4)
    run_sweep(plan, listener)
    table = rows(plan.folder.trials_table)
    curves = {
        row["trial_id"]: [-abs(math.log10(float(row["pretext/adam/lr"])) + 3) - 1 / epoch for epoch in range(1, 10)]
        for row in table
    }
    expected = OneWorker(lambda: SCHEDULERS[scheduler](plan.space.settings, 9), curves)
    expected.run()
    epochs = rows(plan.folder.epochs_table)
    assert [(row["trial_id"], int(row["epoch"])) for row in epochs] == expected.log
    assert {row["trial_id"]: row["reason"] for row in table} == expected.over
    states = {row["state"] for row in table}
    assert states == ({"COMPLETE"} if scheduler == "none" else {"COMPLETE", "PRUNED"})
    assert [row["state"] == "COMPLETE" for row in table] == [row["epochs"] == "9" for row in table]


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["asha_promote", "pasha"])
def test_two_workers_and_a_scheduler_that_pauses(curve_plan, listener, scheduler):
    plan = curve_plan(HEALTHY, scheduler=scheduler, searcher="tpe", num_samples=12, max_epochs=9, max_concurrent=2)
    run_sweep(plan, listener)
    table = rows(plan.folder.trials_table)
    assert len(table) == 12
    assert {row["state"] for row in table} == {"COMPLETE", "PRUNED"}
    best = min(table, key=lambda row: float(row["val_loss"]))
    assert best["epochs"] == "9"


@pytest.mark.slow
@pytest.mark.parametrize("searcher", ["gp", "cmaes"])
def test_a_searcher_by_its_name(curve_plan, listener, searcher):
    plan = curve_plan(HEALTHY, searcher=searcher, scheduler="asha", num_samples=14, max_epochs=4)
    run_sweep(plan, listener)
    assert len({row["pretext/adam/lr"] for row in rows(plan.folder.trials_table)}) == 14


def test_a_grid_ends_when_all_its_points_are_done(curve_plan, listener):
    plan = curve_plan(searcher="grid", num_samples=10, max_epochs=2)
    varied = (Categorical("pretext/adam/lr", (1e-4, 1e-3, 1e-2)), Categorical("pretext/batch_size", (HEALTHY,)))
    space = replace(plan.space, parameters=varied)
    run_sweep(replace(plan, space=space, resources=Resources(max_concurrent=2)), listener)
    table = rows(plan.folder.trials_table)
    assert sorted(float(row["pretext/adam/lr"]) for row in table) == [1e-4, 1e-3, 1e-2]
    assert {row["state"] for row in table} == {"COMPLETE"}
    assert plan.folder.read()["state"] == "finished"
