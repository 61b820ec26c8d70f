"""Imports without the garbage collector."""

import gc

import pytest

from ecgtune.imports import without_collection


def test_the_collector_rests_within_and_works_again_afterwards():
    frozen = gc.get_freeze_count()
    with without_collection():
        assert not gc.isenabled()
        made = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= frozen + len(made)
    gc.unfreeze()


def test_where_it_rested_before_it_rests_afterwards():
    gc.disable()
    try:
        with without_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_it_works_again_after_an_import_that_failed():
    with pytest.raises(ImportError), without_collection():
        raise ImportError
    assert gc.isenabled()
    gc.unfreeze()
