"""The replay of searches over recorded curves: times, what the real classes are told, the whole way to the plots."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _runners_are_found(monkeypatch):
    """As when Python is given a file, whose folder is then the first to be searched."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent))


@pytest.fixture
def curves(tmp_path):
    """A table of six configurations by three epochs beside its space; the last configuration diverges."""
    import pandas as pd

    (tmp_path / "small.toml").write_text(
        'question = "?"\n[sweep]\nstage = "emotion"\nmetric = "val_loss"\nnum_samples = 6\nmax_epochs = 3\n'
        '[parameters]\n"emotion/batch_size" = { choices = [32, 64, 128] }\n'
        '"emotion/features" = { choices = ["raw", "standardised"] }\n'
    )
    rows = [
        {"configuration": number, "epoch": epoch, "val_loss": 1 + number / 10 - epoch / 100, "seconds": 1.0 + number}
        for number in range(6)
        for epoch in range(1, 4)
    ]
    rows[16]["val_loss"] = np.nan
    pd.DataFrame(rows[:17]).to_parquet(tmp_path / "small.parquet")
    return tmp_path / "small.toml"


def test_a_table_is_read_with_higher_scores_better(curves):
    table = importlib.import_module("curve_table").read_table(curves)
    assert table.scores.shape == table.seconds.shape == (6, 3)
    assert table.best == pytest.approx(-0.97)
    assert table.target() == pytest.approx(-0.9797)
    assert table.row({"emotion/batch_size": 64, "emotion/features": "standardised", "emotion/loss": "sigmoid"}) == 3
    assert np.isnan(table.scores[5, 1:]).all()
    assert table.seconds[5].tolist() == [6.0, 6.0, 6.0]


class InOrder:
    """Trains rows as told, each up to an epoch; a row that comes again goes on."""

    def __init__(self, *plan):
        self.plan, self.behind = list(plan), {}

    def following(self, *, idle):
        work = importlib.import_module("replay").Work
        if not self.plan:
            return None
        row, self.until = self.plan.pop(0)
        return work(str(row), row, self.behind.get(row, 0))

    def epoch(self, trial, epoch, score):
        self.behind[int(trial)] = epoch
        return epoch < self.until


def test_replayed_time_is_that_of_the_workers_side_by_side(curves):
    module, table = importlib.import_module("replay"), importlib.import_module("curve_table").read_table(curves)
    found = module.replay(table, InOrder((1, 3), (2, 3), (0, 3)), workers=2, horizon=100.0)
    # Row 1 (2 s an epoch) and row 2 (3 s) begin; row 0 (1 s) follows row 1, and has the best score at its end.
    assert found.times.tolist() == [2.0, 4.0, 6.0, 7.0, 8.0, 9.0]
    assert found.scores == pytest.approx([-1.09, -1.08, -1.07, -0.99, -0.98, -0.97])
    assert found.reached(table.target()) == 9.0
    assert (found.end, found.trials, found.distinct) == (9.0, 3, 3)


def test_a_paused_trial_goes_on_where_it_was_and_starts_cost(curves):
    module, table = importlib.import_module("replay"), importlib.import_module("curve_table").read_table(curves)
    search = InOrder((0, 1), (1, 1), (0, 3))
    found = module.replay(table, search, workers=1, horizon=100.0, start_cost=10.0)
    assert found.times.tolist() == [11.0, 34.0, 35.0]
    assert (found.epochs, found.trials) == (4, 2)


def test_a_trial_that_lost_its_state_pays_for_its_epochs_again(curves):
    module, table = importlib.import_module("replay"), importlib.import_module("curve_table").read_table(curves)

    class Stateless(InOrder):
        def following(self, *, idle):
            found = super().following(idle=idle)
            return found and found._replace(again=found.done > 0)

    search = Stateless((1, 1), (0, 1), (1, 3))
    found = module.replay(table, search, workers=1, horizon=100.0)
    # Row 1 takes 2 s an epoch, row 0 takes 1 s: 2, 3, then 2 s again and two epochs.
    assert (found.end, found.epochs) == (2 + 1 + 2 + 4, 4)


def test_epochs_that_were_trained_before_can_be_free(curves):
    module, table = importlib.import_module("replay"), importlib.import_module("curve_table").read_table(curves)

    class Repeats(InOrder):
        def following(self, *, idle):
            found = super().following(idle=idle)
            return found and found._replace(trial=f"{found.trial} {len(self.plan)}", done=0)

        def epoch(self, trial, epoch, score):
            return epoch < self.until

    for free, seconds in ((True, 2 + 2 + 1), (False, 2 + 4 + 1)):
        search = Repeats((1, 1), (1, 2), (0, 1))
        found = module.replay(table, search, workers=1, horizon=100.0, free_repeats=free)
        assert found.times[-1] == seconds
        assert (found.trials, found.distinct) == (3, 2)


def test_runs_end_at_the_horizon_and_are_cut_short_at_the_most_trials(curves):
    module, table = importlib.import_module("replay"), importlib.import_module("curve_table").read_table(curves)
    found = module.replay(table, InOrder((4, 3), (3, 3)), workers=1, horizon=12.0)
    assert (found.epochs, found.end, found.reached(table.target())) == (2, 12.0, float("inf"))
    found = module.replay(table, InOrder((4, 1), (3, 1), (2, 1)), workers=1, horizon=100.0, max_trials=2)
    assert (found.epochs, found.end) == (2, 9.0)


def test_stock_ray_is_told_that_a_stopped_trial_is_complete(curves):
    module, table = importlib.import_module("replay_methods"), importlib.import_module("curve_table").read_table(curves)
    search = module.StockRay(table, 1, 0)
    works = [search.following(idle=True)]
    assert search.following(idle=False) is None, "no more than the workers are handed out"
    assert search.epoch(works[0].trial, 1, 0.9)
    assert search.epoch(works[0].trial, 2, 0.9)
    assert not search.epoch(works[0].trial, 3, 0.9)
    works.append(search.following(idle=True))
    assert not search.epoch(works[1].trial, 1, 0.1), "below the first at the rung"
    trials = search._searcher.searcher._ot_study.trials
    assert [(trial.state.name, trial.value) for trial in trials] == [("COMPLETE", 0.9), ("COMPLETE", 0.1)]


def test_one_epoch_trains_the_best_to_the_end(curves):
    methods, module = importlib.import_module("replay_methods"), importlib.import_module("replay")
    table = importlib.import_module("curve_table").read_table(curves)
    found = module.replay(table, methods.OneEpoch(table, 0, k=2), workers=2, horizon=100.0)
    assert (found.trials, found.distinct) == (6, 6)
    assert found.reached(table.best) < 100.0


def test_the_comparison_runs_every_kind_of_method_and_is_shown(curves, tmp_path, monkeypatch, capsys):
    comparison, report = importlib.import_module("search_comparison"), importlib.import_module("search_report")
    methods = importlib.import_module("search_methods")
    default = methods.DEFAULTS["emotion"]
    monkeypatch.setitem(methods.DEFAULTS, "small", default)
    chosen = [methods.RANDOM, methods.STOCK, f"{methods.STOCK}, repeats free", "one epoch, then top 3", default]
    arguments = ["search_comparison.py", "--table", str(curves), "--workers", "2", "--seeds", "3", "--processes", "1"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--out", str(tmp_path), "--method", *chosen])
    comparison.main()
    found = json.loads((tmp_path / "search.json").read_text())["tables"]["small, 2 workers"]
    assert found["clairvoyant"] == 3.0
    assert found["horizon"] == sum(3.0 * seconds for seconds in range(1, 7)) / 2
    for entry in found["methods"].values():
        assert len(entry["reached"]["5"]) == 3
        assert entry["distinct"] <= 6
    assert found["methods"][default]["censored"] == 0
    (tmp_path / "README.md").write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    monkeypatch.setattr(sys, "argv", ["search_report.py", "--out", str(tmp_path)])
    report.main()
    text = (tmp_path / "README.md").read_text()
    assert f"**{default}**" in text
    assert "old" not in text
    assert text.endswith("after\n")
    assert (tmp_path / "search_small_2.png").stat().st_size > 10_000


def test_expected_times_count_what_failed_seeds_spent():
    report = importlib.import_module("search_report")
    seconds, there = report.spent({"reached": {"1": [1.0, None, 3.0]}, "ends": [9.0, 8.0, 9.0]})
    assert seconds.tolist() == [1.0, 8.0, 3.0]
    assert report.expected(seconds, there) == 12.0 / 2
    assert report.expected(seconds, there & False) == 12.0 / 3


def test_a_ratio_of_times_has_an_interval_around_it():
    ratio = importlib.import_module("search_report").ratio
    rng, there = np.random.default_rng(1), np.ones(50, bool)
    middle, low, high = ratio((20 + rng.random(50), there), (10 + rng.random(50), there))
    assert low < middle < high
    assert 1.9 < low < high < 2.0
