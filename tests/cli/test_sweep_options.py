"""What `ecgtune sweep` refuses before it begins."""

import pytest

GRID = """
[sweep]
stage = "pretext"
searcher = "grid"
[parameters]
"pretext/adam/lr" = { low = 1e-4, high = 1e-2 }
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume", "--name", "a", "--overwrite"], "Give one of them"),
        (["--resume"], "say which sweep, with --name"),
        (["--resume", "--name", "a", "--seed", "1"], "there is no sweep a in"),
        (["--space", "smoke", "--warm-start", "b"], "--warm-start b: no sweep there"),
        (["--space", "grid.toml"], "pretext/adam/lr has no end of values"),
    ],
)
@pytest.mark.usefixtures("no_ray")
def test_refused(run_cli, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grid.toml").write_text(GRID)
    result = run_cli("sweep", "pretext", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--results", "nfs://server/results"], "nfs://server/results cannot be used as a place for files"),
        (["--results", "s3://me:secret@bucket/results"], "s3://bucket/results was given with credentials in it"),
        (["--data", "nfs://server/data"], "nfs://server/data cannot be used as a place for files"),
        (["--ship-data"], "name one with --address"),
        (["--label", "zone=a"], "name one with --address"),
        (["--label", "zone"], "--label zone: give KEY=VALUE"),
        (["--label", "zone=!a"], "--label zone=!a: give KEY=VALUE"),
        (["--label", "zone=a", "--label", "zone=b"], "--label zone=a and --label zone=b: no node has both"),
        (["--resource", "fast"], "--resource fast: give NAME=AMOUNT"),
        (["--resource", "fast=0"], "--resource fast=0: give NAME=AMOUNT"),
        (["--resource", "fast=x"], "--resource fast=x: give NAME=AMOUNT"),
        (["--address", "127.0.0.1:1"], "no Ray cluster answers at 127.0.0.1:1"),
    ],
)
@pytest.mark.parametrize("stage", ["pretext", "emotion"])
def test_what_a_cluster_cannot_do_is_told_at_once(run_cli, tmp_path, monkeypatch, stage, arguments, said):
    monkeypatch.chdir(tmp_path)
    result = run_cli("sweep", stage, *arguments)
    if stage == "emotion" and arguments[0] == "--address":
        said = "has no finished pretext sweep"
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert "secret" not in result.stderr
    assert not list(tmp_path.iterdir())
