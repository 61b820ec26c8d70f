import pytest

from ecgtune import __version__


def test_version_goes_to_standard_output(run_cli):
    result = run_cli("--version")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"ecgtune {__version__}\n", "")


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["data", "nonsense"]])
def test_a_wrong_word_is_the_users_mistake(run_cli, arguments):
    result = run_cli(*arguments)
    assert result.exit_code == 2
    assert "nonsense" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_fixture_runs_commands_one_after_another(run_cli):
    assert run_cli("--version").exit_code == 0
    assert run_cli("nonsense").exit_code == 2
    assert run_cli("--help").exit_code == 0
