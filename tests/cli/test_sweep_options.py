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
        (["--resume", "--name", "a", "--seed", "1"], "a is not a sweep"),
        (["--space", "smoke", "--warm-start", "b"], "--warm-start b: no sweep there"),
        (["--space", "grid.toml"], "pretext/adam/lr has no end of values"),
    ],
)
def test_refused(run_cli, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ecgtune.cli.sweep._session", lambda *_arguments: None)
    (tmp_path / "grid.toml").write_text(GRID)
    result = run_cli("sweep", "pretext", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "results").exists()
