"""Where things are kept that can be made again."""

from ecgtune.data.cache import cache_folder


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ECGTUNE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    for empty in (lambda: monkeypatch.setenv("ECGTUNE_CACHE", ""), lambda: monkeypatch.delenv("ECGTUNE_CACHE")):
        empty()
        assert cache_folder().name == "ecgtune"
