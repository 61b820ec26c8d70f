"""A data set at a URI."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ecgtune.data import store
from ecgtune.data.remote_data import data_place, downloaded
from ecgtune.data.store import load_dataset
from ecgtune.errors import DataError
from ecgtune.remote import Remote
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.paths import located, portable
from ecgtune.sweep.pretext_job import PretextJob
from ecgtune.sweep.shipping import fetched
from ecgtune.uri import uri_of


@pytest.fixture
def uri(bucket, make_dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / "cache"))
    return bucket.put(make_dataset().folder, "data/toy")


def test_it_is_downloaded_once_and_mapped(uri, make_dataset, monkeypatch):
    got = []
    get = Remote.download
    monkeypatch.setattr(Remote, "download", lambda self, name, path: (got.append(name), get(self, name, path))[1])
    with ThreadPoolExecutor(4) as workers:
        (folder,) = set(workers.map(downloaded, [uri] * 4))
    assert sorted(got) == ["labels.npy", "windows.csv", "windows.npy"]
    found, original = load_dataset(folder), make_dataset()
    assert isinstance(found.windows, np.memmap)
    assert found.fingerprint == original.fingerprint
    assert np.array_equal(found.windows, original.windows)
    assert uri_of(folder) == uri
    assert data_place(uri) == folder


def test_other_data_at_the_same_uri_are_others(uri, bucket, make_dataset):
    before = downloaded(uri)
    bucket.put(make_dataset(subjects=7).folder, "data/toy")
    assert downloaded(uri) != before
    assert len(load_dataset(before).rows) < len(load_dataset(downloaded(uri)).rows)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            lambda b: b.client.delete_object(Bucket=b.name, Key="data/toy/labels.npy"),
            "incomplete: it has no labels.npy",
        ),
        (
            lambda b: b.client.put_object(Bucket=b.name, Key="data/toy/windows.csv", Body=b"x"),
            "its files are not those",
        ),
        (lambda b: b.client.delete_object(Bucket=b.name, Key="data/toy/dataset.json"), "it has no dataset.json"),
    ],
)
def test_what_is_not_whole_is_not_taken(uri, bucket, harm, said, tmp_path):
    harm(bucket)
    with pytest.raises(DataError, match=said):
        downloaded(uri)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_a_sweep_records_the_uri_and_finds_the_data_on_another_machine(uri, monkeypatch, tmp_path):
    folder = SweepFolder(tmp_path / "results" / "s")
    first = downloaded(uri)
    assert portable(first, folder) == uri
    assert located(uri, folder) == str(first)
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / "other"))
    assert located(uri, folder) == str(downloaded(uri)) != str(first)


def test_a_node_without_the_drivers_cache_downloads_its_own(uri, bucket, make_dataset, monkeypatch, tmp_path):
    monkeypatch.setattr(store, "_MOUNTED", {})
    job = PretextJob((str(downloaded(uri)),), (), 0.3, 1, 0, "fourier")
    sent = fetched(job)
    plain = PretextJob((str(make_dataset().folder),), (), 0.3, 1, 0, "fourier")
    assert fetched(plain) is plain
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path / "other"))
    (tmp_path / "cache").rename(tmp_path / "aside")
    (result,) = sent.epochs({"pretext/batch_size": 8, "pretext/encoder/pool_stride": 8}, "cpu", None)
    assert np.isfinite(result.metrics["val_loss"])
    assert len(list((tmp_path / "other" / "data").glob("*/windows.npy"))) == 1
    bucket.put(make_dataset(subjects=7).folder, "data/toy")
    with pytest.raises(DataError, match="holds other data than when the sweep was begun"):
        fetched_again(sent)


def fetched_again(sent):
    for each in sent.cargo:
        each.unpack()
