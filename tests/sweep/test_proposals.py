"""What new trials try: through the study on disk, as a sweep asks for them."""

import math
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from ecgtune.space import Categorical, Float, Int, SearchSpace, SweepSettings
from ecgtune.space.grid import points
from ecgtune.sweep import proposals
from ecgtune.sweep.points import point_key
from ecgtune.sweep.sampling import SEARCHERS
from ecgtune.sweep.study import SweepStudy

LR = Float("pretext/adam/lr", 1e-5, 1e-1, log=True)
L2 = Float("pretext/head/l2", 0.0, 0.3, step=0.1)
CYCLES = Int("pretext/scheduler/cycles", 1, 3)
TYPE = Categorical("pretext/scheduler/type", ("none", "cosine_w_restarts"))
WARMUP = Int("pretext/scheduler/warmup", 0, 4, when={"pretext/scheduler/type": ("cosine_w_restarts",)})
FINITE = (CYCLES, TYPE, WARMUP)
MIXED = (LR, L2, *FINITE)


def make_space(*parameters, searcher="tpe", scheduler="none", fixed=None, **settings):
    chosen = SweepSettings("pretext", "val_loss", "min", searcher=searcher, scheduler=scheduler, **settings)
    return SearchSpace(Path("space.toml"), "", chosen, parameters, fixed or {})


def loss(values):
    return abs(math.log10(values.get(LR.name, 1e-3)) + 3) + values.get(WARMUP.name, 0) / 10 + values[CYCLES.name] / 7


class Sweep:
    """One worker that asks and tells, and can be killed: what it held in memory is then gone."""

    def __init__(self, folder, space, num_samples, seed=5, **given):
        folder.mkdir(exist_ok=True)
        self.open = lambda: SweepStudy(folder / "study.log", space, num_samples=num_samples, seed=seed, **given)
        self.study = self.open()
        self.drawn = []

    def kill(self):
        self.study = self.open()

    def step(self, epochs=2):
        asked = self.study.ask()
        if asked is None:
            return False
        self.drawn.append(asked)
        score = loss(asked[1])
        self.study.report(asked[0], {epoch: score + 1 / epoch for epoch in range(1, epochs + 1)})
        if int(asked[0]) % 3 == 2:
            self.study.finish(asked[0], "PRUNED", "asha", score)
        elif int(asked[0]) % 7 == 6:
            self.study.finish(asked[0], "FAILED", "nan", score)
        else:
            self.study.finish(asked[0], "COMPLETE", "", score)
        return True

    def run(self):
        while self.step():
            pass
        return self.drawn


@pytest.mark.parametrize("searcher", SEARCHERS)
@pytest.mark.parametrize("parameters", [FINITE, MIXED], ids=["finite", "mixed"])
def test_a_resumed_sweep_draws_what_an_uninterrupted_one_does(tmp_path, searcher, parameters):
    space = make_space(*parameters, searcher=searcher)
    whole = Sweep(tmp_path / "whole", space, 17).run()
    broken = Sweep(tmp_path / "broken", space, 17)
    for number in range(17):
        broken.kill()
        if number % 4 == 1:
            # Killed once more with the trial handed out: it comes again, as it was.
            handed = broken.study.ask()
            broken.kill()
            assert broken.study.unfinished
            assert broken.step()
            assert broken.drawn[-1] == handed
        else:
            assert broken.step()
    broken.kill()
    assert not broken.step()
    assert broken.drawn == whole
    assert len(whole) == 17


@pytest.mark.parametrize("searcher", SEARCHERS)
def test_every_point_of_a_finite_space_is_tried_once_and_then_no_more(tmp_path, searcher):
    space = make_space(*FINITE, searcher=searcher)
    drawn = Sweep(tmp_path / "s", space, 100).run()
    every = [point_key(space, point) for point in points(FINITE, {})]
    assert len(every) == 3 * (1 + 5)
    assert sorted(point_key(space, values) for _, values in drawn) == sorted(every)
    assert [trial_id for trial_id, _ in drawn] == [f"{number:05d}" for number in range(len(every))]


def test_a_grid_comes_in_an_order_of_its_seed(tmp_path):
    space = make_space(L2, CYCLES, searcher="grid")
    one, same, other = (Sweep(tmp_path / name, space, 100, seed).run() for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert one == same
    assert one != other
    assert len(one) == 4 * 3
    cycles = [values[CYCLES.name] for _, values in one[1:]]
    assert cycles != sorted(cycles)


def test_a_space_too_large_to_be_listed_gives_no_duplicates_either(tmp_path, monkeypatch):
    monkeypatch.setattr("ecgtune.sweep.finite.MOST_POINTS", 3)
    space = make_space(*FINITE, searcher="tpe")
    drawn = Sweep(tmp_path / "s", space, 18).run()
    assert len({point_key(space, values) for _, values in drawn}) == 18


def test_where_nothing_varies_there_is_one_trial(tmp_path):
    space = make_space(Float(LR.name, 1e-3, 1e-3), searcher="random")
    monkey = Sweep(tmp_path / "s", space, 5)
    assert monkey.study.ask()[1] == {LR.name: 1e-3}
    assert monkey.study.ask() is None


def test_each_draw_has_a_seed_of_its_own_that_repeats(tmp_path, monkeypatch):
    random, seeds = SEARCHERS["random"], []

    def spy(seed, space):
        seeds.append(seed)
        return random(seed, space)

    monkeypatch.setattr(proposals, "SEARCHERS", {"random": spy})
    for name in ("a", "b"):
        Sweep(tmp_path / name, make_space(LR, CYCLES, searcher="random"), 5).run()
    # The first trial of each is the default configuration.
    assert seeds[:4] == seeds[4:]
    assert len(set(seeds)) == 4


def test_no_two_draws_share_a_seed():
    drawn = proposals.Proposals(make_space(LR), 7)
    seeds = [drawn._draw_seed(number, attempt) for number in range(30) for attempt in range(10)]
    assert len(set(seeds)) == 300


def test_a_paused_trial_is_no_bad_one_to_tpe(tmp_path, monkeypatch):
    """Under a scheduler that pauses, trials that wait are shown as pruned, so that TPE learns from them."""
    shown = {}
    original = proposals.draw

    def spy(sampler, study, number, space, given):
        shown[number] = [trial.state.name for trial in study.shown]
        return original(sampler, study, number, space, given)

    monkeypatch.setattr(proposals, "draw", spy)
    for scheduler, expected in (("pasha", "PRUNED"), ("asha", "RUNNING")):
        sweep = Sweep(tmp_path / scheduler, make_space(*MIXED, scheduler=scheduler), 5)
        for _ in range(3):
            trial_id, values = sweep.study.ask()
            sweep.study.report(trial_id, {1: loss(values)})
        assert shown[2] == [expected] * 2


def test_the_study_opens_with_stock_optuna_and_holds_no_pickle(tmp_path):
    for searcher in SEARCHERS:
        folder = tmp_path / searcher
        Sweep(folder, make_space(*MIXED, searcher=searcher), 14).run()
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(folder / "study.log")))
        trials = optuna.load_study(study_name=None, storage=storage).get_trials()
        assert len(trials) == 14
        assert all(trial.state.is_finished() and trial.datetime_start for trial in trials)
        assert all(set(trial.system_attrs) <= {"fixed_params"} for trial in trials)


def test_replaced_settings_reach_the_searcher(tmp_path):
    """A conditional parameter is drawn only where its condition holds, by every searcher."""
    for searcher in SEARCHERS:
        space = make_space(*FINITE, searcher=searcher)
        for _, values in Sweep(tmp_path / searcher, replace(space, fixed={"pretext/batch_size": 64}), 12).run():
            assert (WARMUP.name in values) == (values[TYPE.name] == "cosine_w_restarts")
            assert values["pretext/batch_size"] == 64
