"""`ecgtune status` and `ecgtune list`."""

import json
import shutil
from pathlib import Path

import pytest

RESULTS = Path(__file__).resolve().parents[2] / "results" / "eegmat_arithmetic"


def test_a_finished_sweep(run_cli):
    result = run_cli("status", "eegmat-emotion", "--results", RESULTS)
    assert result.exit_code == 0
    first, trials, best = result.stdout.splitlines()
    assert first.startswith("eegmat-emotion: emotion sweep, finished; begun 2026-11-22")
    assert trials == "60 of 60 trials have ended: 14 COMPLETE, 1 FAILED (nan), 45 PRUNED (asha)"
    assert best == "best: val_balanced_accuracy 0.7530 in trial 00047, epoch 5"


def test_an_interrupted_sweep_says_how_to_go_on(run_cli, tmp_path):
    shutil.copytree(RESULTS / "eegmat-emotion", tmp_path / "mine")
    for name, old, new in (("sweep.toml", '"finished"', '"running"'), ("trials.csv", "COMPLETE", "RUNNING")):
        path = tmp_path / "mine" / name
        path.write_text(path.read_text().replace(old, new))
    result = run_cli("status", "mine", "--results", tmp_path)
    assert "emotion sweep, interrupted" in result.stdout
    assert result.stdout.count("waits to be resumed") == 14
    how = f"go on with it:  ecgtune sweep emotion --name mine --results {tmp_path} --resume"
    assert result.stdout.splitlines()[-1] == how


def test_an_interrupted_sweep_of_a_cluster_says_how_to_go_on_there(run_cli, tmp_path):
    shutil.copytree(RESULTS / "eegmat-emotion", tmp_path / "mine")
    path = tmp_path / "mine" / "sweep.toml"
    text = path.read_text().replace('"finished"', '"interrupted"')
    path.write_text(text.replace("[resources]", '[resources]\naddress = "auto"'))
    result = run_cli("status", "mine", "--results", tmp_path)
    how = f"-- sweep emotion --name mine --results {tmp_path} --resume"
    assert result.stdout.splitlines()[-1].startswith("on a cluster, as before:  ecgtune submit")
    assert result.stdout.splitlines()[-1].endswith(how)


def test_all_sweeps_are_listed_in_the_order_they_began(run_cli):
    lines = run_cli("list", "--results", RESULTS).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "name",
        "mitdb-pretext",
        "eegmat-emotion",
        "eegmat-random",
        "eegmat-person",
    ]
    assert "60/60   val_balanced_accuracy 0.7530" in lines[2]


def test_json(run_cli):
    listed = json.loads(run_cli("list", "--results", RESULTS, "--json").stdout)
    one = json.loads(run_cli("status", "eegmat-emotion", "--results", RESULTS, "--json").stdout)
    assert one == listed[1]
    assert one["best"]["trial_id"] == "00047"


def test_no_sweep_at_all(run_cli, tmp_path):
    assert "has no sweep yet" in run_cli("list", "--results", tmp_path / "nothing").stdout


@pytest.mark.parametrize("name", ["nobody", "../up"])
def test_no_such_sweep_is_one_message(name, run_cli, tmp_path):
    result = run_cli("status", name, "--results", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.count("error:") == 1


def test_trials_that_wait_are_counted_by_rung(run_cli, tmp_path):
    shutil.copytree(RESULTS / "eegmat-emotion", tmp_path / "mine")
    for name, old, new in (("sweep.toml", '"finished"', '"running"'), ("trials.csv", "COMPLETE", "RUNNING")):
        path = tmp_path / "mine" / name
        path.write_text(path.read_text().replace(old, new))
    lines = (tmp_path / "mine" / "trials.csv").read_text().splitlines()
    running = [int(line.split(",")[0]) for line in lines if ",RUNNING," in line]
    rows = [f"{number:05d},60,0.5" for number in running[:3]]
    (tmp_path / "mine" / "epochs.csv").write_text("trial_id,epoch,val_balanced_accuracy\n" + "\n".join(rows) + "\n")
    with (tmp_path / "mine" / "study.log").open("a") as journal:
        for number in running[:3]:
            journal.write(json.dumps({"op_code": 8, "trial_id": number, "user_attr": {"paused at": 60}}) + "\n")
    found = run_cli("status", "mine", "--results", tmp_path).stdout
    assert "3 trials wait, the best of which go on: 3 at epoch 60" in found
    assert found.count("waits to be resumed") == len(running) - 3
