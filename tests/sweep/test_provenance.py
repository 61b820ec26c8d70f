"""What `sweep.toml` says of the machine."""

import pytest

from ecgtune.sweep import provenance


@pytest.mark.parametrize("units", [True, False])
def test_the_machine_says_whether_it_has_units_for_bfloat16_and_compiles(units, monkeypatch):
    monkeypatch.setattr(provenance, "has_bf16_units", lambda: units)
    monkeypatch.setattr(provenance, "not_compiled", lambda: "" if units else "no C compiler")
    found = provenance.machine()
    assert found["bf16_units"] is units
    assert found["compiled"] is units
    assert found["cores"] >= 1
