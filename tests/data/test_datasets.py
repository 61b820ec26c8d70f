from inspect import isfunction

import pytest

from ecgtune.data.datasets import DATASETS
from ecgtune.errors import DataError


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_opens_and_refuses_an_absent_path_in_one_line(name, tmp_path):
    assert isfunction(DATASETS[name])
    with pytest.raises(DataError, match="absent") as caught:
        list(DATASETS[name](tmp_path / "absent").subjects())
    assert "\n" not in str(caught.value)
