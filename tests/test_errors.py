"""Errors cross the border of a process whole."""

import inspect
import pickle

import pytest

from ecgtune import errors

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.EcgtuneError)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_can_be_pickled(kind):
    error = kind("here", ["one", "two"]) if kind is errors.ConfigError else kind("what is wrong")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), vars(again), again.exit_code) == (str(error), vars(error), error.exit_code)
