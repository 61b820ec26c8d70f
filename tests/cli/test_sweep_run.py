"""What `ecgtune sweep` prints around a sweep."""

import shlex
import signal
from contextlib import suppress
from types import SimpleNamespace

import pytest

from ecgtune.cli.sweep_options import SweepOptions
from ecgtune.cli.sweep_run import _to_go_on, _will_measure
from ecgtune.errors import InputError
from ecgtune.training import path_cache


@pytest.mark.parametrize(
    ("words", "asked", "again"),
    [
        ("--seed 1", {}, "--seed 1 --name made-up --resume"),
        ("--name a --overwrite", {"name": "a", "overwrite": True}, "--name a --resume"),
        ("--name a --resume", {"name": "a", "resume": True}, "--name a --resume"),
    ],
)
def test_the_command_that_goes_on_is_the_same_with_its_name(words, asked, again):
    typed = ["sweep", "pretext", *words.split()]
    name = asked.get("name", "made-up")
    assert shlex.join(_to_go_on(typed, name, SweepOptions(**asked))) == f"ecgtune sweep pretext {again}"


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize(
    ("job", "last"), [(False, "resume: ecgtune sweep pretext --space smoke --name {} --resume"), (True, "")]
)
def test_an_interrupted_sweep_says_how_to_go_on(run_cli, tmp_path, monkeypatch, job, last):
    """The line of a job's log would be no command for who has submitted it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ecgtune.data.generated.generated_dreamer", lambda: tmp_path)
    monkeypatch.setattr("ecgtune.sweep.planning.plan_pretext", lambda folder, *_: plan(folder))
    monkeypatch.setattr(
        "ecgtune.sweep.runner.run_sweep", lambda plan, *_, **__: SimpleNamespace(folder=plan.folder, interrupted=True)
    )
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    if job:
        monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    result = run_cli("sweep", "pretext", "--space", "smoke")
    first, *rest = result.stderr.splitlines()
    name = result.stdout.strip().rpartition("/")[2]
    assert result.exit_code == 130
    assert first.startswith("starting Ray on this machine; the first trial takes some seconds")
    assert rest.pop(0).startswith("no --data: this is a small generated DREAMER")
    assert "\n".join(rest) == last.format(name)


@pytest.mark.parametrize(
    ("words", "variable", "measured", "waits"),
    [
        ([], "", False, True),
        ([], "fourier", False, False),
        (["--convolution", "direct"], "", False, False),
        (["--convolution", "auto"], "fourier", False, True),
        (["--gpus-per-trial", "0.5"], "", False, False),
        ([], "", True, False),
    ],
)
def test_workers_load_at_once_or_after_this_machine_was_measured(
    run_cli, tmp_path, monkeypatch, words, variable, measured, waits
):
    """Processes that compute would disturb a measurement."""
    monkeypatch.setenv("ECGTUNE_CONVOLUTION", variable)
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("ecgtune.cli.sweep_run._GPU_DRIVERS", ())
    if measured:
        (tmp_path / "cache").mkdir()
        path_cache.keep(tmp_path / "cache", {path_cache.key("layers"): {}})
    seen = []

    class Session:
        def __init__(self, _address, *, workers, held):
            seen.append(f"Ray for {workers}{', held' if held else ''}")

        def wait(self):
            seen.append("up")

        def release(self):
            seen.append("released")

        def close(self):
            seen.append("closed")

    monkeypatch.setattr("ecgtune.sweep.engine.RaySession", Session)
    monkeypatch.setattr("ecgtune.training.path.not_compiled", lambda: seen.append("compiled"))
    monkeypatch.setattr("ecgtune.training.path.choose_path", lambda *_: seen.append("measured") or "tiled")
    monkeypatch.setattr("ecgtune.sweep.planning.plan_pretext", lambda folder, *_: plan(folder))
    monkeypatch.setattr(
        "ecgtune.sweep.runner.run_sweep",
        lambda plan, *_, session, **__: (
            seen.append(session is not None) or SimpleNamespace(folder=plan.folder, interrupted=False)
        ),
    )
    (tmp_path / "dataset.json").touch()
    words = ["sweep", "pretext", "--space", "smoke", "--data", tmp_path, "--results", tmp_path / "results", *words]
    words += ["--num-samples", 3]
    result = run_cli(*words)
    assert result.exit_code == 0, result.stderr
    first = ["Ray for 3, held", "compiled", "up", "measured", "released"] if waits else ["Ray for 3"]
    assert seen == [*first, True, "closed"]
    once = ", and settling how convolutions are fastest here, once" if waits else ""
    assert f"starting Ray on this machine{once}; the first trial takes some seconds" in result.stderr
    # This measurement has kept nothing.
    assert ("computed by `tiled`. That cannot be kept, since" in result.stderr) == waits


@pytest.mark.parametrize(("gpus", "driver", "measures"), [(None, True, False), (None, False, True), (0.0, True, True)])
def test_nothing_is_measured_where_trials_use_gpus(monkeypatch, tmp_path, gpus, driver, measures):
    monkeypatch.setenv("ECGTUNE_CONVOLUTION", "")
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path))
    monkeypatch.setattr("ecgtune.cli.sweep_run._GPU_DRIVERS", (tmp_path / "none", tmp_path / "driver"))
    monkeypatch.setattr(path_cache, "version", lambda _: "2.13.0")
    if driver:
        (tmp_path / "driver").touch()
    assert _will_measure(SweepOptions(gpus_per_trial=gpus)) == measures
    # It keeps the way that it was begun with.
    assert not _will_measure(SweepOptions(gpus_per_trial=gpus, resume=True, name="a"))


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("where", ["loading", "planning"])
def test_ctrl_c_that_an_import_has_swallowed_still_stops(run_cli, tmp_path, monkeypatch, where):
    reached = []

    def swallow(*_, **__):
        reached.append("swallowed")
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    def make_plan(folder, *_):
        if where == "planning":
            swallow()
        reached.append("planned")
        return plan(folder)

    monkeypatch.setattr("ecgtune.cli.sweep_run._load", swallow if where == "loading" else lambda **_: None)
    monkeypatch.setattr("ecgtune.sweep.planning.plan_pretext", make_plan)
    monkeypatch.setattr("ecgtune.sweep.runner.run_sweep", lambda *_, **__: reached.append("run"))
    (tmp_path / "dataset.json").touch()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        result = run_cli("sweep", "pretext", "--space", "smoke", "--data", tmp_path, "--results", tmp_path / "results")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert result.exit_code == 130
    assert reached == ["swallowed", *(["planned"] if where == "planning" else [])]


def plan(folder):
    from ecgtune.sweep.plan import SweepPlan

    return SweepPlan(folder, None, None, None)


@pytest.mark.parametrize("stage", ["pretext", "emotion"])
def test_a_folder_without_data_is_told_of_before_ray_starts(run_cli, tmp_path, monkeypatch, stage):
    monkeypatch.setattr("ecgtune.cli.sweep_run._session", lambda *_, **__: pytest.fail("Ray would start"))
    result = run_cli("sweep", stage, "--data", tmp_path / "none", "--results", tmp_path / "results")
    assert result.exit_code == 2
    assert f"there is no folder {tmp_path / 'none'}; a data-set folder is needed" in result.stderr
    result = run_cli("sweep", stage, "--data", tmp_path / ("long" * 100), "--results", tmp_path / "results")
    assert result.exit_code == 2
    assert "File name too long" in result.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("stage", ["pretext", "emotion"])
@pytest.mark.parametrize(("words", "variable"), [(["--convolution", "fft"], ""), ([], "fft")])
def test_an_unknown_way_of_convolution_is_told_of_before_ray_starts(
    run_cli, tmp_path, monkeypatch, stage, words, variable
):
    monkeypatch.setenv("ECGTUNE_CONVOLUTION", variable)
    monkeypatch.setattr("ecgtune.cli.sweep_run._session", lambda *_, **__: pytest.fail("Ray would start"))
    result = run_cli("sweep", stage, "--results", tmp_path / "results", *words)
    assert result.exit_code == 2
    named = "--convolution" if words else "ECGTUNE_CONVOLUTION"
    assert f"{named}: there is no convolution path 'fft'. Choose one of auto, direct" in result.stderr
    assert not (tmp_path / "results").exists()


def test_a_sweep_that_goes_on_keeps_its_way_of_convolution_whatever_the_variable_says(monkeypatch):
    monkeypatch.setenv("ECGTUNE_CONVOLUTION", "fft")
    SweepOptions(resume=True, name="mine").check()
    with pytest.raises(InputError, match="'fft'"):
        SweepOptions(resume=True, name="mine", convolution="fft").check()


def test_a_sweep_of_the_other_stage_is_not_resumed(run_cli, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sweep.toml").write_text('created = "2026"\n[sweep]\nstage = "pretext"\n')
    result = run_cli("sweep", "emotion", "--name", "mine", "--results", tmp_path, "--resume")
    assert result.exit_code == 2
    assert "mine is a sweep of the pretext stage" in result.stderr


def test_a_name_that_is_taken_offers_to_go_on(run_cli, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sweep.toml").write_text('created = "2026"\n[sweep]\nstage = "pretext"\n')
    result = run_cli("sweep", "pretext", "--space", "smoke", "--name", "mine", "--results", tmp_path)
    assert result.exit_code == 2
    assert "go on with it with --resume, choose another --name, or pass --overwrite" in result.stderr
