import pytest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--", "evaluate", "x"], "ecgtune submit runs sweeps, and got 'evaluate x'"),
        (["--", "sweep"], "and got 'sweep'"),
        (["--no-wait", "--follow", "--", "sweep", "pretext"], "--no-wait does not"),
        (["--", "sweep", "pretext", "--nonsense"], "nonsense"),
        (["--", "sweep", "pretext", "--resume"], "--resume: say which sweep"),
        (["--", "sweep", "pretext", "--space", "nonsense"], "no search space 'nonsense'"),
        (["--", "sweep", "pretext", "--name", "../x"], "cannot name a sweep"),
        (
            ["--address", "http://127.0.0.1:1", "--", "sweep", "pretext"],
            "no Ray dashboard answers at http://127.0.0.1:1",
        ),
        (["--address", "ray://127.0.0.1:1", "--", "sweep", "pretext"], "jobs go to the dashboard"),
        (["--address", "http://127.0.0.1:1", "sweep", "pretext", "--seed", "1"], "no Ray dashboard answers"),
        (["sweep", "pretext", "--address", "http://127.0.0.1:1"], "before the two dashes"),
        (["--", "sweep", "pretext", "--num-samples", "many"], "Invalid value for '--num-samples'"),
        (["--", "sweep", "pretext", "--num-samples", "0"], "Invalid value for '--num-samples'"),
        (["--", "sweep", "pretext", "--resource", "fast"], "--resource fast: give NAME=AMOUNT"),
        (["--", "sweep", "pretext", "--label", "zone"], "--label zone: give KEY=VALUE"),
        (["--", "sweep", "pretext", "--name", "a", "--resume", "--overwrite"], "Give one of them"),
        (["--", "sweep", "emotion", "--convolution", "nonsense"], "no convolution path 'nonsense'"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(run_cli, words, said):
    result = run_cli("submit", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "address",
    [
        "foo bar",
        "http://",
        "http://host:99999",
        "host:0",
        "host:port",
        "ftp://host:8265",
        "http://[::1",
        "http://a?b=c",
    ],
)
@pytest.mark.parametrize("command", [["jobs"], ["stop", "x"]])
def test_what_is_no_address_is_told(run_cli, address, command):
    result = run_cli(*command, "--address", address)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert f"--address {address}: this is no address. Give the dashboard's, http://HOST:8265." in result.stderr


@pytest.mark.parametrize("command", [["jobs"], ["stop", "x"]])
def test_a_cluster_that_is_not_there(run_cli, command):
    result = run_cli(*command, "--address", "127.0.0.1:1")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "no Ray dashboard answers at http://127.0.0.1:1" in result.stderr


def test_follow_needs_a_job(run_cli):
    result = run_cli("jobs", "--follow")
    assert (result.exit_code, "say which job" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["--data", "s3://KEY:SECRET@bucket/x"],
        ["--data=s3://KEY:SEC/SECRET@bucket/x"],
        ["--pretext", "s3://bucket/x?endpoint_override=http://KEY:SECRET@host:9000"],
        ["--results=s3://bucket/x?endpoint_override=http://KEY:SECRET@host:9000"],
    ],
)
@pytest.mark.parametrize("before", [["sweep", "pretext"], ["nonsense"]])
def test_no_secret_goes_to_the_cluster_or_to_the_screen(run_cli, words, before):
    result = run_cli("submit", "--address", "http://127.0.0.1:1", "--", *before, *words)
    assert (result.exit_code, "with credentials in it" in result.stderr) == (2, True)
    assert "SECRET" not in (result.stderr + result.stdout).replace("AWS_SECRET_ACCESS_KEY", "")
