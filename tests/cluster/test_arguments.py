from pathlib import Path

import pytest

from ecgtune.cluster.arguments import on_cluster
from ecgtune.errors import InputError

ENDS = ["--name", "n", "--results", "/r", "--address", "auto"]


def changed(*words, space=None):
    return on_cluster(["sweep", *words], name="n", results="/r", space=space)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    (tmp_path / "results" / "earlier" / "best").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)


def test_data_become_absolute_and_the_rest_stays():
    here = Path.cwd()
    words = ("pretext", "--data", "a", "--data=b/../c", "--data", "/d", "--seed", "3", "--resume")
    assert changed(*words) == [
        *("sweep", "pretext", "--data", str(here / "a"), "--data", str(here / "c"), "--data", "/d"),
        *("--seed", "3", "--resume", *ENDS),
    ]


def test_links_stay_links(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "shared").symlink_to(tmp_path / "real")
    made = on_cluster(["sweep", "pretext", "--data", "shared/d"], name="n", results="shared/r", space=None)
    assert made[3] == str(tmp_path / "shared" / "d")
    assert made[7] == str(tmp_path / "shared" / "r")


def test_a_uri_stays_as_it_is():
    uri = "s3://bucket/results?endpoint_override=http://10.0.0.1:9000"
    made = on_cluster(["sweep", "pretext", "--results", "x", "--data", uri], name="n", results=uri, space=None)
    assert made == ["sweep", "pretext", "--data", uri, "--name", "n", "--results", uri, "--address", "auto"]


def test_name_and_results_are_given_once():
    assert changed("pretext", "--name", "old", "--results=elsewhere", "--max-epochs", "2") == [
        *("sweep", "pretext", "--max-epochs", "2", *ENDS),
    ]


def test_a_space_of_the_users_is_looked_for_in_the_parcel():
    assert changed("pretext", "--space", "my/own.toml", space=Path("my/own.toml"))[2:4] == [
        "--space",
        "spaces/own.toml",
    ]
    assert changed("pretext", "--space", "smoke")[2:4] == ["--space", "smoke"]


def test_a_pretext_model_is_a_name_or_a_place():
    assert changed("emotion", "--pretext", "earlier")[3] == "earlier"
    assert changed("emotion", "--pretext", "results/earlier")[3] == str(Path.cwd() / "results" / "earlier")


def test_a_negative_number_is_a_value():
    assert changed("emotion", "--threshold", "-1.5")[2:4] == ["--threshold", "-1.5"]


@pytest.mark.parametrize("words", [("--address", "x:1"), ("--address=x:1",)])
def test_an_address_among_the_words_is_told(words):
    with pytest.raises(InputError, match="before the two dashes"):
        changed("pretext", *words)
