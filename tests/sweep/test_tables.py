"""`trials.csv` while trials come, go on and end."""

import csv

from ecgtune.sweep.tables import TrialsTable
from ecgtune.sweep.trial import Trial


def trial(number, lr):
    return Trial(f"{number:05d}", {"lr": lr}, "val_loss", "min")


def test_every_write_shows_every_trial_as_it_is_now(tmp_path):
    table, path = TrialsTable(tmp_path / "trials.csv", ["lr", "layers"]), tmp_path / "trials.csv"

    def rows(trials):
        table.write(trials)
        with path.open() as file:
            return [(r["trial_id"], r["state"], r["epochs"], r.get("val_loss"), r["lr"], r["layers"])
                    for r in csv.DictReader(file)]  # fmt: skip

    first, second, third = trial(0, 0.5), trial(1, 0.25), trial(2, 0.125)
    assert rows([first]) == [("00000", "RUNNING", "0", None, "0.5", "")]
    # Ended before there was a column for metrics.
    first.end("FAILED", "error")
    assert rows([second, first])[0] == ("00000", "FAILED", "0", None, "0.5", "")
    second.add_epoch(1, {"val_loss": 3.0}, 1.0)
    assert rows([first, second]) == [
        ("00000", "FAILED", "0", "", "0.5", ""),
        ("00001", "RUNNING", "1", "3.0", "0.25", ""),
    ]
    second.add_epoch(2, {"val_loss": 2.0}, 1.0)
    assert rows([first, second])[1][1:4] == ("RUNNING", "2", "2.0")
    second.end("COMPLETE", "")
    assert rows([first, second, third])[1:] == [
        ("00001", "COMPLETE", "2", "2.0", "0.25", ""),
        ("00002", "RUNNING", "0", "", "0.125", ""),
    ]
    assert rows([first, second, third])[1][1] == "COMPLETE"
