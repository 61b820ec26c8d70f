"""The benchmarks run: every runner is imported and measures something tiny. No test here looks at a time."""

import importlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

HERE = Path(__file__).resolve().parent
RUNNERS = sorted(file.stem for file in HERE.glob("*.py") if not file.stem.startswith("test_"))


@pytest.fixture(autouse=True)
def _runners_are_found(monkeypatch):
    """As when Python is given a file, whose folder is then the first to be searched."""
    monkeypatch.syspath_prepend(str(HERE))


@pytest.fixture
def tiny(monkeypatch):
    """Windows of 1.25 s."""
    generated = importlib.import_module("generated")
    monkeypatch.setattr(generated, "N_TIMES", 320)
    return generated.generated_dataset


@pytest.mark.parametrize("name", RUNNERS)
def test_every_runner_says_what_it_does(name):
    module = importlib.import_module(name)
    assert module.__doc__
    if hasattr(module, "main"):
        assert f"python tests/benchmarks/{name}.py" in module.__doc__


def test_a_ratio_is_above_one_where_ours_is_better():
    common = importlib.import_module("common")
    assert common.compared("speed", 400.0, 50.0, "views/s")["ratio"] == 8.0
    assert common.compared("time", 0.1, 30.0, "s", less_is_better=True)["ratio"] == pytest.approx(300.0)


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("--rounds", "--rounds"),
        (str(HERE / "scale.py"), "tests/benchmarks/scale.py"),
        ("/somewhere/of/mine/eegmat", "FOLDER/eegmat"),
        ("--data=/somewhere/of/mine/eegmat", "--data=FOLDER/eegmat"),
    ],
)
def test_a_command_names_no_path_of_the_machine(argument, shown, monkeypatch):
    common = importlib.import_module("common")
    monkeypatch.setattr(sys, "argv", ["scale.py", argument])
    # Wherever it was started.
    monkeypatch.chdir(HERE)
    for name in common.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert common.command_line() == f"python tests/benchmarks/scale.py {shown}"
    monkeypatch.setenv("CC", "cc -mno-avx512f")
    assert common.command_line() == f"CC='cc -mno-avx512f' python tests/benchmarks/scale.py {shown}"


def test_figures_are_kept_with_their_provenance_and_fill_the_table(tmp_path, capsys, monkeypatch):
    common, summary = importlib.import_module("common"), importlib.import_module("summary")
    row = common.compared("speed", 400.0, 50.0, "views/s", target=10)
    common.show([row])
    assert "8x (target 10x)" in capsys.readouterr().out
    common.save("speed", {"comparisons": [row]}, common.provenance("abc"), tmp_path)
    common.save("growth", {"rows": []}, common.provenance(), tmp_path)
    where = json.loads((tmp_path / "speed.json").read_text())["provenance"]
    assert {"command", "date", "commit", "tree_clean", "versions", "machine"} <= where.keys()
    assert where["data_fingerprint"] == "abc"
    (tmp_path / "README.md").write_text(f"before\n{summary.BEGIN}\nold\n{summary.END}\nafter\n")
    monkeypatch.setattr(sys, "argv", ["summary.py", "--out", str(tmp_path)])
    summary.main()
    summary.main()
    lines = (tmp_path / "README.md").read_text().splitlines()
    assert lines[0] == "before"
    assert lines[-1] == "after"
    assert "old" not in lines
    assert [line for line in lines if "8 (target 10)" in line]


def test_the_peak_counts_two_operations_per_multiply_add(monkeypatch):
    common = importlib.import_module("common")
    monkeypatch.setattr(common, "MATMUL_SIZES", (16, 32))
    monkeypatch.setattr(common, "fastest", lambda call, seconds: 1e-9)
    import torch

    assert common.matmul_peak(torch.float32, 1) == pytest.approx(2 * 32**3)


def test_pretext_step(tiny):
    module = importlib.import_module("pretext_step")
    row = module.measure("fourier", 1, 8, 1, 0.01, 100.0, n_times=320)
    assert row["views_per_second"] > 0
    assert 0 < row["views_share"] < 1
    assert sum(row["shares"].values()) == pytest.approx(1)
    assert {"products", "transforms", "copies"} < set(row["shares"])
    direct = module.measure("direct", 1, 8, 1, 0.01, 100.0, n_times=320)
    # Less than three passes: the last convolution's backward pass reads the peaks' samples alone.
    flops = importlib.import_module("pretext_naive").forward_flops(8, 320)
    assert 2.5 * flops < direct["operations_per_view"] < 3.1 * flops
    assert row["operations_per_view"] < direct["operations_per_view"] / 5
    rate = direct["operations_per_view"] * direct["views_per_second"]
    assert direct["utilisation"] == pytest.approx(rate / 100e9)
    # Each at its best micro-batch.
    rows = [
        each | {"views_per_second": rate, "windows": n} for each in (direct, row) for n, rate in ((4, 9.0), (8, 6.0))
    ]
    rows[-1]["views_per_second"] = 27.0
    (compared,) = module.comparisons(rows)
    assert (compared["what"], compared["ratio"]) == ("fourier and direct, 1 threads, pool stride 8", 3.0)


def test_conventional_count_of_the_published_network():
    module = importlib.import_module("pretext_naive")
    assert module.forward_flops(2, 2560) == pytest.approx(674e6, rel=1e-3)
    assert module.forward_flops(8, 2560) == pytest.approx(252e6, rel=2e-3)


@pytest.mark.slow
def test_pretext_naive(tiny, tmp_path, monkeypatch):
    module = importlib.import_module("pretext_naive")
    monkeypatch.setattr(module.SideBySide, "peak", lambda machine: 100.0)
    monkeypatch.setattr(module, "SHAPES", ((2, 1),))
    monkeypatch.setattr(module, "LOADERS", (0,))
    folder = tiny(tmp_path / "data", 8, 2).folder
    found = module.benchmark(folder, pool_strides=[8], n_windows=4, rounds=1)
    assert found["comparisons"][0]["ratio"] > 0
    assert 0 < found["details"][0]["views_share_of_step"] < 1


@pytest.mark.slow
def test_gpu_runs_on_a_cpu_too(monkeypatch, tmp_path, capsys):
    module = importlib.import_module("gpu")
    threads = []
    monkeypatch.setattr(module, "matmul_peak", lambda dtype, n, device: threads.append(n) or 100.0)
    options = ["--device=cpu", "--pool-strides=8", "--paths=direct", "--seconds=.01", f"--out={tmp_path}"]
    monkeypatch.setattr("sys.argv", ["gpu.py", *options, "--trials", "2", "1"])
    module.main()
    assert set(threads) == {torch.get_num_threads()}
    found = json.loads((tmp_path / "gpu.json").read_text())
    alone, both = found["rows"]
    assert (alone["trials"], both["trials"]) == (1, 2)
    assert min(alone["views_per_second"], both["views_per_second"], alone["share_of_peak"]) > 0
    assert [each["what"] for each in found["comparisons"]] == ["direct, stride 8, 2 at once"]
    assert found["failed"] == []
    assert "2 at once" in capsys.readouterr().out


class _Machine:
    """In place of processes side by side: they give what a trial is told to."""

    def __init__(self, shapes):
        pass

    def __enter__(self):
        self.cache = os.environ["TORCHINDUCTOR_CACHE_DIR"]
        return self

    def __exit__(self, *_):
        pass

    def epochs(self, shape, make, given):
        assert not any(Path(self.cache).iterdir())
        if given[1] == "cudagraphs" and shape[0] == 4:
            raise RuntimeError("no memory\nat all")
        return [(50.0, 0.1, 3.0)] + [(25.0, 0.2, None)] * (shape[0] - 1)


def test_a_way_that_fails_on_a_gpu_does_not_end_the_others(monkeypatch):
    module = importlib.import_module("gpu")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "kept")
    monkeypatch.setattr(module, "SideBySide", _Machine)
    found = list(module.measure("cuda", [4, 1, 2, 8], [8], ["cudagraphs", "bf16"], 4.0))
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "kept"
    (graphs, failed), (plain, none) = found
    assert [row["trials"] for row in graphs] == [1, 2]
    assert failed == [{"path": "cudagraphs", "pool_stride": 8, "trials": 4, "why": "RuntimeError: no memory"}]
    assert [(row["trials"], row["views_per_second"], row["start_s"]) for row in plain][1] == (2, 75.0, 3.0)
    assert (len(plain), none) == (4, [])


def test_trials_on_one_gpu_count_what_they_do_in_the_same_seconds(monkeypatch):
    """The first steps come before, whose start is told once."""
    module = importlib.import_module("gpu")
    clock = [0.0]

    class Step:
        n_views = 10

        def __init__(self, *_given):
            self.takes = iter([9.0, 4.0, 1.0])

        def __call__(self):
            whole = next(self.takes, 0.5 if clock[0] < 1.0 else 1.5)
            clock[0] += whole
            return 0.1 * whole, whole

    monkeypatch.setattr(module, "Step", Step)
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])
    steps = module.Steps(8, "bf16", "cpu", 4.0)
    clock[0] = 0.0
    # Two steps of .5 s and two of 1.5 s, not four of the fastest.
    assert steps.epoch() == (pytest.approx(10.0), pytest.approx(0.1), pytest.approx(14.0 - 3 * 1.0))
    assert steps.epoch()[2] is None


class _Once:
    """Can be made by the first who asks."""

    def __init__(self, folder):
        (Path(folder) / "taken").mkdir()

    def epoch(self):
        return 1


@pytest.mark.slow
def test_a_process_that_fails_leaves_none_waiting(tmp_path):
    module = importlib.import_module("side_by_side")
    with module.SideBySide([(2, 1)]) as machine, pytest.raises(FileExistsError):
        machine.epochs((2, 1), _Once, (str(tmp_path),))


def test_gpu_tells_when_compiling_has_paid():
    """40 s of start against a tenth more views: after 440 s as many views are done as without."""
    module = importlib.import_module("gpu")
    same = {"pool_stride": 8}
    plain = {"path": "bf16", **same, "views_per_second": 100.0}
    ours = {"path": "inductor", **same, "views_per_second": 110.0}
    starts = {"trials": 1, "start_s": 40.0}, {"trials": 2, "start_s": 7.0}
    for began, expected in ((0.0, 440.0), (2.2, 418.0)):
        rows = [plain | {"trials": 1, "start_s": began}, plain | {"trials": 2, "start_s": None}]
        rows += [ours | start for start in starts]
        found = {each["what"]: each for each in module.comparisons(rows)}
        for n in (1, 2):
            compared = found[f"inductor, stride 8, {n} at once, and bf16"]
            assert compared["ratio"] == pytest.approx(1.1)
            assert compared["earned_after_s"] == pytest.approx(expected)
        assert pytest.approx((expected - began) * 100.0) == (expected - 40.0) * 110.0
    assert module.earned_after(100.0, 110.0, 40.0, 0.0) is None


@pytest.mark.slow
def test_the_public_form_trains_in_numpy_and_conv1d(tiny, tmp_path):
    module = importlib.import_module("public_form")
    dataset = tiny(tmp_path / "data", 3, 1)
    training = module.PublicTraining(np.array(dataset.windows), 8, 0)
    before = [weight.clone() for weight in training.network.parameters()]
    assert training.epoch() == 3 * 7
    assert all(not (old == new).all() for old, new in zip(before, training.network.parameters(), strict=True))


def test_emotion_public(tiny, tmp_path):
    module = importlib.import_module("emotion_public")
    found = module.benchmark(tiny(tmp_path / "data", 40, 10), tmp_path, epochs=2, rounds=1)
    assert found["comparisons"][0]["ratio"] > 0
    assert found["largest_difference_of_predictions"] < 1e-3


def test_scale(tiny, tmp_path):
    module = importlib.import_module("scale")
    tiny_sizes = {"windows": [60, 120], "people": [5, 10], "trials": [2, 4], "embedded": [2, 4]}
    rows = module.benchmark(tmp_path, **tiny_sizes, fixed_people=5, fixed_windows=60, seconds=0.0)
    assert {row["axis"] for row in rows} == {"windows", "people", "trials", "embedded windows"}
    assert all(cost > 0 for row in rows for cost in row["costs"])
    row = {"axis": "windows", "quantity": "five folds, s", "sizes": [10, 1_000, 10_000], "costs": [9.0, 2.0, 40.0]}
    compared = module.against_proportion(row)
    assert compared["what"] == "five folds: 10,000 windows and 1,000, in proportion"
    assert (compared["ours"], compared["baseline"], compared["ratio"], compared["unit"]) == (40.0, 20.0, 0.5, "s")


def test_the_exponent_is_the_slope_in_logarithms():
    module = importlib.import_module("scale")
    sizes = [10, 100, 1000]
    assert module.exponent(sizes, [3.0, 3.0, 3.0]) == pytest.approx(0.0, abs=1e-9)
    assert module.exponent(sizes, [size**1.5 for size in sizes]) == pytest.approx(1.5)


@pytest.mark.slow
@pytest.mark.ray
def test_memory(tiny, tmp_path):
    # In a process and on a Ray of its own, as it is measured: the session's has idle workers that count.
    found = importlib.import_module("memory").measure(tiny(tmp_path / "data", 40, 4).folder, 1)
    assert found["workers"] == 1
    assert 0 < found["worker_own_before_training_mib"] <= found["worker_own_mib"]
    assert found["worker_own_mib"] < found["peak_mib"] < found["sum_of_resident_mib"]


@pytest.mark.slow
@pytest.mark.ray
def test_harness():
    module = importlib.import_module("harness")
    row = module.measure(0.01, 3, 4, busy=True)
    assert row["trials"] == 3
    assert 3 <= row["epochs"] <= 12
    assert 0 < row["share_of_command"] < row["share_in_epochs"] < 1
    assert 0 < row["first_trial_after_s"] < row["command_s"]


@pytest.mark.slow
@pytest.mark.ray
def test_first_trial(tiny, tmp_path):
    module = importlib.import_module("first_trial")
    found = module.benchmark(tmp_path, tiny(tmp_path / "data", 200, 10).folder, 1, throw_away=False)
    (run,) = found["runs"]
    for side in ("ours", "baseline"):
        assert 0 < run[f"{side}_s"] < run[f"{side}_command_s"]
    assert run["ours_fresh_s"] > 0
    assert [row["ours"] for row in found["comparisons"]] == [run[f"ours{of}_s"] for of in ("", "_command", "_fresh")]


@pytest.mark.slow
@pytest.mark.ray
def test_emotion_sweep(tmp_path):
    module, generated = importlib.import_module("emotion_sweep"), importlib.import_module("generated")
    data = generated.generated_dataset(tmp_path / "small", 40, 10).folder
    found = module.benchmark(data, tmp_path, trials=2, seeds=[0], more=["--max-epochs", "2", "--folds", "2"])
    (run,) = found["sweeps"]
    assert run["trials"] == 2
    assert run["epochs"] in (3, 4), "the first trial runs to its end, the second may be stopped after an epoch"
    assert 0 < run["first_trial_started_after_s"] < run["wall_s"]
    assert run["epochs_s"] > 0


@pytest.mark.slow
def test_prepare_full_size(tmp_path):
    module = importlib.import_module("prepare_full_size")
    found = module.measure(tmp_path, 1, 1, eeg=False, minutes=4)
    assert found["windows"] > 0
    assert found["peak_memory_mib"] > 10


@pytest.mark.slow
@pytest.mark.ray
def test_disk(tiny, tmp_path):
    module = importlib.import_module("disk")
    data = tiny(tmp_path / "data", 20, 5).folder
    found = module.measure(data, 4, 1, 3)
    assert (found["trials"], found["models"], found["removed"]) == (4, 1, 3)
    # Batch norm makes a model a little larger.
    assert found["removed_bytes"] == pytest.approx(3 * found["parts_bytes"]["models"] / 2, rel=0.02)
    # The kept trial's model and its copy in best/.
    assert 2 * 2.6e6 < found["parts_bytes"]["models"] < 2 * 2.8e6
    assert found["end_bytes"] == sum(found["parts_bytes"].values()) < found["peak_bytes"]
    assert all(found["parts_bytes"][part] for part in ("cards", "tensorboard", "study", "tables"))


def test_the_share_in_epochs_counts_what_lies_in_the_span_alone():
    scaling = importlib.import_module("cluster_scaling")
    # Two workers; the span goes from 1 to 4, where the last trial begins. The first loses half a second in it.
    begun = [
        *({"lr": 1, "epoch": epoch, "time": at} for epoch, at in ((1, 0.0), (2, 1.0), (3, 2.5))),
        *({"lr": 2, "epoch": epoch, "time": at} for epoch, at in ((1, 1.0), (2, 2.0), (3, 3.0))),
        {"lr": 3, "epoch": 1, "time": 4.0},
    ]
    share, span = scaling.share_in_epochs(begun, 2, 1.0)
    assert span == 3.0
    assert share == pytest.approx(5.0 / 6.0)
    assert scaling.overheads(begun, 1.0) == pytest.approx(0.5 / 4)


@pytest.mark.slow
@pytest.mark.ray
def test_cluster_scaling_runs():
    scaling = importlib.import_module("cluster_scaling")
    (row,) = scaling.on_workers([2], 0.2, 3)
    assert 0 < row["share_in_epochs"] <= 1
