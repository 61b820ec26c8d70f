"""`ecgtune data synth` makes a file that opens, and refuses with one message."""

import pytest

from ecgtune.data.dreamer import open_dreamer

SMALL = ("--subjects", "2", "--minutes", "3", "--no-eeg")


def test_it_writes_a_dreamer(run_cli, tmp_path):
    path = tmp_path / "new" / "DREAMER.mat"
    result = run_cli("data", "synth", "dreamer", "--out", path, *SMALL, "--seed", "4", "--effect", "0.5")
    assert result.exit_code == 0
    assert "2 people, effect 0.5, seed 4" in result.stdout
    assert open_dreamer(path).n_subjects == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--subjects", "0"), "0 subjects cannot be made"),
        (("--minutes", "0"), "0 minutes per person cannot be made"),
        (("--minutes", "100"), "100 minutes per person cannot be made"),
        (("--seed", "-3"), "the seed -3 cannot be used"),
        (("--effect", "nan"), "an effect of nan"),
    ],
)
def test_wrong_arguments_are_refused(run_cli, tmp_path, arguments, message):
    path = tmp_path / "D.mat"
    result = run_cli("data", "synth", "dreamer", "--out", path, *SMALL, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not path.exists()


def test_an_existing_file_is_kept(run_cli, tmp_path):
    path = tmp_path / "D.mat"
    path.write_text("mine")
    result = run_cli("data", "synth", "dreamer", "--out", path, *SMALL)
    assert result.exit_code == 2
    assert "exists already" in result.stderr
    assert path.read_text() == "mine"
    assert run_cli("data", "synth", "dreamer", "--out", path, *SMALL, "--overwrite").exit_code == 0
