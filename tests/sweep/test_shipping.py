"""Data through the object store: the same numbers, and no copy of a process's own."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ecgtune.data import store
from ecgtune.data.store import load_dataset, mount
from ecgtune.sweep.pretext_job import PretextJob
from ecgtune.sweep.shipping import shipped

PARAMETERS = {"pretext/batch_size": 8, "pretext/encoder/pool_stride": 8}


def job(dataset):
    return PretextJob((str(dataset.folder),), (), 0.3, 1, 0, "fourier")


def test_a_mounted_data_set_needs_no_folder(make_dataset, monkeypatch):
    monkeypatch.setattr(store, "_MOUNTED", {})
    dataset = make_dataset()
    moved = dataset.folder.rename(dataset.folder.with_name("moved"))
    mount(dataset)
    assert load_dataset(dataset.folder) is dataset
    assert load_dataset(moved) is not dataset


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_workers_share_the_windows_and_train_to_the_same_numbers(make_dataset):
    import ray

    dataset = make_dataset()
    sent = shipped(job(dataset))
    # Sums over two threads differ in the last digits from those over one.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        expected = [dict(result.metrics) for result in job(dataset).epochs(PARAMETERS, "cpu", None)]
    finally:
        torch.set_num_threads(threads)
    aside = dataset.folder.rename(dataset.folder.with_name("aside"))

    @ray.remote
    def train(given):
        torch.set_num_threads(1)
        results = [dict(result.metrics) for result in given.epochs(PARAMETERS, "cpu", None)]
        windows = load_dataset(Path(given.folders[0])).windows
        return results, windows.flags.owndata, windows.flags.writeable, np.asarray(windows).sum()

    found = ray.get([train.remote(sent) for _ in range(2)])
    for results, owns, writes, total in found:
        assert results == expected
        assert not owns, "it is a view into the node's shared memory"
        assert not writes
        assert total == load_dataset(aside).windows.sum()
