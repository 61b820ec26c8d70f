"""What may be typed beside `--resume`: what the sweep was begun with, or nothing."""

import shutil
from dataclasses import replace

import pytest

from ecgtune.errors import InputError
from ecgtune.space import find_space, read_space
from ecgtune.sweep.folder import SweepFolder
from ecgtune.sweep.plan import Resources, SweepPlan, definition
from ecgtune.sweep.planning import plan_again
from ecgtune.sweep.pretext_job import PretextJob, open_pretext
from ecgtune.sweep.resuming import require_same
from ecgtune.sweep.unchanged import Given, require_unchanged


@pytest.fixture
def begun(tmp_path, make_dataset):
    """A sweep of two trials over the smoke space, as it stands in its folder; and its data."""
    dataset = make_dataset()
    space = read_space(find_space("smoke", "pretext"), "pretext")
    space = replace(space, settings=replace(space.settings, max_epochs=6, num_samples=2))
    job = PretextJob(data=(str(dataset.folder),), held_out=(), val_fraction=0.2, max_epochs=6, seed=0)
    folder = SweepFolder(tmp_path / "results" / "a")
    folder.path.mkdir(parents=True)
    folder.write(definition(SweepPlan(folder, space, job, Resources())))
    return folder, dataset


def smoke():
    return read_space(find_space("smoke", "pretext"), "pretext")


def test_the_command_of_before_may_be_typed_again(begun):
    folder, dataset = begun
    require_unchanged(folder, Given())
    given = Given(smoke(), {"max_epochs": 6, "seed": None}, {"convolution": "direct"}, [dataset.folder])
    require_unchanged(folder, given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Given(settings={"seed": 7}), "sweep: seed: 0 then, 7 now"),
        (Given(settings={"max_epochs": 9}), "sweep: max_epochs: 6 then, 9 now"),
        (Given(job={"convolution": "fourier"}), "job: convolution: direct then, fourier now"),
    ],
)
def test_another_setting_is_refused_with_the_difference(begun, given, said):
    with pytest.raises(InputError, match="has changed. Leave out what was given beside --resume") as error:
        require_unchanged(begun[0], given)
    assert said in str(error.value)


def test_another_space_is_refused_with_the_difference(begun):
    other = replace(smoke(), parameters=smoke().parameters[1:])
    with pytest.raises(InputError, match="parameters: pretext/adam/lr"):
        require_unchanged(begun[0], Given(other))


def test_data_that_have_changed_in_their_place_are_refused(begun, make_dataset):
    folder, dataset = begun
    other = make_dataset(name="other", subjects=7)
    again = plan_again(folder, Resources(), None)
    require_same(folder, again)
    shutil.rmtree(dataset.folder)
    shutil.copytree(other.folder, dataset.folder)
    open_pretext.cache_clear()
    with pytest.raises(InputError, match="data 0: fingerprint"):
        require_same(folder, again)


def test_other_data_are_refused(begun, make_dataset):
    other = make_dataset(name="other", subjects=7)
    with pytest.raises(InputError, match="data 0: fingerprint"):
        require_unchanged(begun[0], Given(data=[other.folder]))
