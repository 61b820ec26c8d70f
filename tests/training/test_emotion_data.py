"""Classes, people and folds: what is dropped, refused and told."""

import json

import numpy as np
import pytest

from ecgtune.data.splits import pretext_split
from ecgtune.errors import DataError, InputError


def test_bad_windows_and_those_without_a_score_drop_out(emotion, make_dataset):
    dataset = make_dataset(subjects=4, per_class=3, bad=2, unrated=1)
    data = emotion(folds=2, dataset=dataset)
    rows = dataset.rows.iloc[data.rows]
    assert set(rows["kind"]) == {"stimulus"}
    assert set(rows["quality"]) == {""}
    np.testing.assert_array_equal(data.classes, dataset.labels[data.rows, 0])
    np.testing.assert_array_equal(data.persons, dataset.persons[data.rows])
    assert len(data.classes) == 4 * 6
    # 2 baseline windows and 1 unrated window of each of the 4 people have no score.
    assert "8 windows with a quality flag were left out" in data.notes
    assert "12 windows without a score were left out" in data.notes


@pytest.mark.parametrize(("threshold", "counts"), [(0.0, "12"), (1.0, "0 windows above and 24 not")])
def test_a_threshold_means_above(threshold, counts, emotion, make_dataset):
    dataset = make_dataset(subjects=4, per_class=3)
    if threshold == 0.0:
        data = emotion(folds=2, dataset=dataset, threshold=0.0)
        assert str(int(data.classes.sum())) == counts
        assert data.threshold == 0.0
    else:
        with pytest.raises(DataError, match=rf"arousal > 1 .*{counts}.*from 0 to 1"):
            emotion(folds=2, dataset=dataset, threshold=threshold)


def test_a_target_of_one_class_only(emotion):
    with pytest.raises(DataError, match="from 0 to 0"):
        emotion(target="valence")
    with pytest.raises(DataError, match=r"no target 'joy'.*arousal, valence"):
        emotion(target="joy")


def _trained_on(persons, make_dataset, pretext_model):
    """A model whose pretext stage saw `persons` of the same data set."""
    dataset = make_dataset(subjects=6, per_class=5)
    held_out = sorted(set(dataset.persons) - set(persons))
    split = pretext_split(dataset.persons, val_fraction=0.5, held_out=held_out, seed=0)
    # Four windows are enough for an encoder that only has to exist.
    small = type(split)(split.train[:2], split.val[:2], split.held_out)
    return dataset, pretext_model(on=dataset, split=small)


def test_people_the_encoder_has_seen_are_only_trained_on(emotion, make_dataset, pretext_model):
    seen = {"toy:p0", "toy:p3"}
    dataset, model = _trained_on(seen, make_dataset, pretext_model)
    data = emotion(folds=4, dataset=dataset, model=model)
    assert set(data.validated) == set(dataset.persons) - seen
    assert not data.transductive
    for fold in data.folds:
        assert seen <= set(data.persons[fold.train])
    assert "2 people are trained on only, since the encoder has seen them: toy:p0, toy:p3" in data.notes
    assert set(np.unique(data.fold_of)) == {-1, 0, 1, 2, 3}


def test_too_few_unseen_people_is_refused_with_the_ways_out(emotion, make_dataset, pretext_model):
    dataset, model = _trained_on({"toy:p0", "toy:p3"}, make_dataset, pretext_model)
    with pytest.raises(DataError, match=r"all but 4.*--hold-out.*--transductive"):
        emotion(folds=5, dataset=dataset, model=model)
    data = emotion(folds=5, dataset=dataset, model=model, transductive=True)
    assert data.transductive
    assert len(data.validated) == 6


def test_transductive_is_marked_only_where_it_is(emotion):
    assert not emotion(folds=2, transductive=True).transductive


def test_more_folds_than_people(emotion):
    with pytest.raises(DataError, match="7 folds"):
        emotion(folds=7)


def test_people_with_one_class_are_kept_and_named(emotion, make_dataset, tmp_path):
    dataset = make_dataset(subjects=4, per_class=3)
    labels = np.array(dataset.labels)
    labels[dataset.persons == "toy:p2", 0] = np.where(np.isnan(labels[dataset.persons == "toy:p2", 0]), np.nan, 1.0)
    object.__setattr__(dataset, "labels", labels)
    data = emotion(folds=2, dataset=dataset)
    assert "toy:p2" in data.validated
    assert "1 people have one class only: toy:p2" in data.notes


def test_a_model_that_does_not_fit(emotion, make_dataset, pretext_model):
    model = pretext_model()
    card = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps(card | {"stage": "emotion"}))
    with pytest.raises(InputError, match="not a pretext model"):
        emotion(model=model)
    (model / "model.json").write_text(json.dumps(card | {"preprocessing": {"sfreq": 128.0}}))
    with pytest.raises(InputError, match="128 Hz"):
        emotion(model=model)


def test_windows_shorter_than_the_encoder_needs(emotion, make_dataset, pretext_model):
    dataset, model = make_dataset(), pretext_model()
    object.__setattr__(dataset, "windows", dataset.windows[:, :60])
    with pytest.raises(InputError, match="60 samples"):
        emotion(dataset=dataset, model=model)


def test_the_fingerprint_tells_data_apart(emotion):
    one, same, other = emotion(), emotion(), emotion(folds=2)
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_an_encoder_that_is_trained_takes_the_path_that_is_asked_for(emotion):
    assert emotion(path="tiled").encoder.path == "tiled"
