"""The progress of a sweep, on a terminal and off one."""

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ecgtune.cli.progress import SweepProgress
from ecgtune.cli.progress_tally import Best, SweepTally
from ecgtune.cli.progress_view import live_view
from ecgtune.sweep.events import SweepObserver, TrialView

START = {
    "name": "demo",
    "folder": Path("results/demo"),
    "stage": "pretext",
    "num_samples": 4,
    "max_epochs": 10,
    "metric": "val_loss",
    "mode": "min",
    "concurrency": 2,
    "throughput_unit": "views/s",
    "searcher": "tpe",
    "scheduler": "asha",
}


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def trial(number=0, **changes):
    view = TrialView(
        f"{number:05d}",
        {"pretext/adam/lr": 0.0020220503805149607, "pretext/scheduler/type": "cosine_w_restarts"},
        "RUNNING",
        "",
        epoch=0,
        max_epochs=10,
        score=None,
        best=None,
        throughput=0.0,
        seconds=0.0,
    )
    return replace(view, **changes)


def plain():
    text, clock = StringIO(), Clock()
    progress = SweepProgress(Console(file=text, force_terminal=False, width=80, highlight=False), clock)
    return progress, clock, text


def live_text(tally, now=0.0, *, height=24, width=80):
    text = StringIO()
    Console(file=text, force_terminal=True, color_system=None, width=width).print(live_view(tally, now, height))
    return text.getvalue()


def tally(**changes):
    known = {"unit" if key == "throughput_unit" else key: value for key, value in START.items()}
    return SweepTally(**{**known, "started_at": 0.0, **changes})


def test_it_is_an_observer():
    observer: SweepObserver = plain()[0]
    assert {name for name in vars(SweepObserver) if not name.startswith("_")} <= set(dir(observer))


def test_plain_lines_tell_the_whole_story():
    progress, clock, text = plain()
    with progress:
        progress.note("a note before the start")
        progress.sweep_started(**START)
        progress.trial_started(trial(0))
        running = trial(0, epoch=1, score=0.5, best=0.5, throughput=1234.5, seconds=3.0)
        progress.epoch_finished(running)
        progress.best_changed(running, 1, 0.5)
        clock.now += 6
        progress.trial_finished(replace(running, state="PRUNED", reason="asha", seconds=6.0))
        progress.trial_started(trial(1))
        progress.trial_finished(trial(1, state="FAILED", reason="nan", seconds=2.0))
        progress.sweep_finished(interrupted=True)
    assert text.getvalue().splitlines() == [
        "a note before the start",
        "demo: pretext sweep, 4 trials of up to 10 epochs, 2 at once",
        "searcher tpe, scheduler asha; val_loss, lower is better; written to results/demo",
        "trial 00000 started: lr 0.00202  scheduler cosine_w_restarts",
        "trial 00000 epoch 1/10: val_loss 0.5000, 1,234 views/s",
        "best so far: val_loss 0.5000, trial 00000 at epoch 1",
        "trial 00000 pruned (asha) after 1 epoch, 6 s: best val_loss 0.5000 [1 of 4 trials done, about 9 s left]",
        "trial 00001 started: lr 0.00202  scheduler cosine_w_restarts",
        "trial 00001 failed (nan) after 0 epochs, 2 s: best val_loss — [2 of 4 trials done, about 4 s left]",
        "demo interrupted: 2 of 4 trials in 6 s (0 complete, 1 pruned, 1 failed: 1 nan)",
        "Best val_loss 0.5000: trial 00000 at epoch 1, with",
        "  pretext/adam/lr         0.00202",
        "  pretext/scheduler/type  cosine_w_restarts",
    ]


def test_plain_epoch_lines_come_at_most_every_ten_seconds_per_trial():
    progress, clock, text = plain()
    progress.sweep_started(**START)
    for second in range(31):
        clock.now = 100.0 + second
        for number in (0, 1):
            progress.epoch_finished(trial(number, epoch=second, score=0.5))
    lines = [line for line in text.getvalue().splitlines() if " epoch " in line]
    assert [line.split(":")[0] for line in lines] == [
        f"trial 0000{number} epoch {epoch}/10" for epoch in (0, 10, 20, 30) for number in (0, 1)
    ]


def test_a_sweep_without_an_epoch_says_so():
    progress, _, text = plain()
    progress.sweep_started(**START)
    progress.sweep_finished(interrupted=False)
    assert text.getvalue().splitlines()[-2:] == [
        "demo finished: 0 of 4 trials in under 1 s (0 complete, 0 pruned, 0 failed)",
        "No trial finished an epoch.",
    ]


def test_events_before_the_start_are_harmless():
    progress, _, text = plain()
    progress.trial_finished(trial(0, state="COMPLETE"))
    progress.epoch_finished(trial(0))
    progress.best_changed(trial(0), 1, 0.5)
    progress.sweep_finished(interrupted=False)
    assert text.getvalue() == ""


def test_the_live_view_has_a_line_per_running_trial():
    sweep = tally(num_samples=20)
    sweep.update(trial(3, epoch=5, score=0.0456, throughput=1100.0), now=0.0)
    sweep.update(trial(1, epoch=0), now=0.0)
    sweep.update(trial(0, state="COMPLETE", seconds=60.0), now=0.0)
    sweep.update(trial(2, state="PRUNED", reason="asha", seconds=20.0), now=0.0)
    sweep.best = Best("00000", 7, 0.0412, {})
    title, first, second, best, counts, time = live_text(sweep).splitlines()
    assert title.split() == ["trial", "epoch", "score", "views/s", "parameters"]
    assert re.match(r"00001 +0/10 +— +— +lr 0.00202  scheduler cosine_w", first)
    assert re.match(r"00003 +━+[╸╺]?━* +5/10 +0.0456 +1,100 +lr 0.00202", second)
    assert best.rstrip() == "best    val_loss 0.0412, trial 00000 at epoch 7"
    assert counts.rstrip() == "trials  2 of 20 done (1 complete, 1 pruned, 0 failed)"
    # 16 to start and 2 just begun, 40 s each, 2 at once
    assert time.rstrip() == "time    under 1 s, left: about 6 min 0 s"


def test_the_live_view_before_the_first_trial():
    assert [line.rstrip() for line in live_text(tally(), now=3.0).splitlines()] == [
        "waiting for a trial to start",
        "best    —",
        "trials  0 of 4 done (0 complete, 0 pruned, 0 failed)",
        "time    3 s, left: —",
    ]


def test_the_live_view_after_the_last_trial():
    over = tally()
    over.ended.update(COMPLETE=3, PRUNED=1)
    first, *_, last = live_text(over, now=3.0).splitlines()
    assert first.rstrip() == "writing the results"
    assert last.rstrip() == "time    3 s"


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 12), (80, 8), (200, 50)])
def test_the_live_view_fits_the_terminal(width, height):
    sweep = tally(num_samples=1000, metric="val_one_vs_rest_accuracy", max_epochs=1000)
    for number in range(40):
        sweep.update(trial(number, epoch=999, max_epochs=1000, score=-123.4567, throughput=123456.0), now=0.0)
    sweep.update(trial(99, state="FAILED", reason="out_of_memory", seconds=1e6), now=0.0)
    sweep.best = Best("00000", 999, 0.123456, {})
    lines = live_text(sweep, height=height, width=width).splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert "999/1000  -123.4567  123,456" in lines[1]
    if height < 40:
        hidden = int(re.match(r"and (\d+) more running", lines[-4]).group(1))
        assert hidden + len(lines) - 5 == 40


def test_the_time_left_counts_pruned_trials_and_what_runs():
    sweep = tally(num_samples=6, concurrency=2)
    assert sweep.time_left(0.0) is None
    sweep.update(trial(0, state="COMPLETE", seconds=100.0), now=100.0)
    sweep.update(trial(1, state="PRUNED", seconds=20.0), now=100.0)
    sweep.update(trial(2, seconds=10.0), now=100.0)
    sweep.update(trial(3, seconds=500.0), now=100.0)
    # mean 60 s; two to start; trial 2 lacks 60 - (10 + 5); trial 3 should have ended long ago
    assert sweep.time_left(105.0) == pytest.approx((2 * 60 + 45) / 2)
    for number in (2, 3, 4):
        sweep.update(trial(number, state="COMPLETE", seconds=60.0), now=200.0)
    sweep.update(trial(5, seconds=0.0), now=200.0)
    # The last one runs alone.
    assert sweep.time_left(200.0) == pytest.approx(60.0)


def on_terminal(text, clock):
    return SweepProgress(Console(file=text, force_terminal=True, color_system=None, width=80, height=24), clock)


def test_on_a_terminal_the_live_lines_go_and_the_summary_stays(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    text = StringIO()
    with on_terminal(text, Clock()) as progress:
        progress.sweep_started(**START)
        assert "\x1b[?25l" in text.getvalue()
        progress.trial_started(trial(0))
        progress.best_changed(trial(0, epoch=1, score=0.5), 1, 0.5)
        progress.trial_finished(trial(0, state="FAILED", reason="nan", best=0.5, epoch=1))
        progress._live.refresh()
        assert "1 of 4 done (0 complete, 0 pruned, 1 failed: 1 nan)" in text.getvalue()
        progress.note("a note")
        progress.sweep_finished(interrupted=False)
    after = text.getvalue().split("\x1b[?25h")[-1]
    assert "\x1b[2K" in after  # the live lines are wiped
    assert "demo finished: 1 of 4 trials" in after
    assert "a note" in text.getvalue()
    assert "trial 00000 started" not in text.getvalue()


def test_the_terminal_is_given_back_after_an_error(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    text = StringIO()
    with pytest.raises(RuntimeError, match="broken"), on_terminal(text, Clock()) as progress:
        progress.sweep_started(**START)
        raise RuntimeError("broken")
    assert text.getvalue().rfind("\x1b[?25h") > text.getvalue().rfind("\x1b[?25l") > 0


def test_a_dumb_terminal_gets_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    text = StringIO()
    with on_terminal(text, Clock()) as progress:
        progress.sweep_started(**START)
        progress.trial_started(trial(0))
    assert "\x1b[?25l" not in text.getvalue()
    assert "trial 00000 started" in text.getvalue()


def test_trials_that_wait_are_counted_until_they_go_on():
    seen = tally()
    for number in range(3):
        seen.update(trial(number, state="PAUSED"), 0.0)
    assert "0 of 4 done" in live_text(seen)
    assert ", 3 wait for their turn" in live_text(seen)
    seen.update(trial(0), 1.0)
    seen.update(trial(1, state="PRUNED", seconds=2.0), 1.0)
    assert ", 1 wait for their turn" in live_text(seen)
    assert seen.time_left(2.0) is None
    seen.update(trial(2, state="PRUNED", seconds=2.0), 2.0)
    assert "wait" not in live_text(seen)
    assert seen.time_left(2.0) is not None


def test_a_trial_that_goes_on_is_not_told_anew():
    progress, _, text = plain()
    with progress:
        progress.sweep_started(**START)
        progress.trial_started(trial(3, epoch=4))
    assert text.getvalue().splitlines()[-1] == "trial 00003 goes on after epoch 4"
