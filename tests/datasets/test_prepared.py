"""The spec files, and examples: their checks and their conversion to a Sequence."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.examples import example

from toch_jax.base.errors import InputError
from toch_jax.datasets.prepared import check_example, example_to_sequence, stack_hands
from toch_jax.datasets.spec import SPEC_DIR, load_spec, spec_names


def test_every_spec_file_loads_and_splits_are_disjoint() -> None:
    root = Path(__file__).parents[2] / "data_specs"
    assert SPEC_DIR.resolve() == root
    assert set(spec_names()) == {path.stem for path in root.glob("*.toml")}
    for name in spec_names():
        spec = load_spec(name)
        keys = [key for split in spec.splits.values() for key in split]
        assert spec.name == name
        assert len(keys) == len(set(keys))


def test_unknown_data_set_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^nothing: data set: expected one of .*open_grasps") as error:
        load_spec("nothing")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("side", ["left", "right left"])
def test_a_sequence_holds_what_the_example_does(side: str) -> None:
    clip = example(side=side)
    sequence = example_to_sequence(load_spec("open_grasps"), clip)
    assert " ".join(sequence.hand_side) == side
    assert (sequence.fps, sequence.hand_model) == (30.0, "open")
    assert sequence.hands.params is not None
    betas = np.asarray(sequence.hands.params.betas)
    assert betas.shape == (len(side.split()), 7, 10)
    np.testing.assert_array_equal(betas, np.repeat(clip["hand_betas"][:, None], 7, axis=1))
    for key, found in (
        ("hand_global_orient", sequence.hands.params.global_orient),
        ("hand_pose", sequence.hands.params.pose),
        ("hand_transl", sequence.hands.params.transl),
        ("hand_valid", sequence.hand_valid),
        ("object_vertices", sequence.object_vertices),
        ("object_faces", sequence.object_faces),
        ("object_vertex_part", sequence.object_vertex_part),
        ("object_translation", sequence.object_motion.translation),
    ):
        np.testing.assert_array_equal(found, clip[key], err_msg=key)
    wanted = Rotation.from_rotvec(clip["object_rotation"].reshape(-1, 3)).as_matrix().reshape(2, 7, 3, 3)
    np.testing.assert_allclose(sequence.object_motion.rotation, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("hand_pose", np.zeros((2, 7, 48)), r"hand_pose: expected shape \('H', 'T', 45\)"),
        ("hand_transl", np.zeros((2, 6, 3)), "hand_transl: expected shape"),
        ("hand_betas", np.full((2, 10), np.nan), "hand_betas: expected finite numbers"),
        ("hand_side", "right", "hand_side: expected a word for each of 2 hands, found 'right'"),
        ("hand_side", "right wrong", "hand_side: expected right or left for each hand"),
    ],
)
def test_bad_examples_are_named(key: str, value: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_example(load_spec("open_grasps"), {**example(), key: value})


def test_stacked_hands_are_the_hands_one_by_one() -> None:
    whole = example(side="right left")
    keys = ("hand_global_orient", "hand_pose", "hand_transl", "hand_betas")
    found = stack_hands(("right", "left"), [{key: whole[key][hand] for key in keys} for hand in (0, 1)], whole["grasp"])
    assert found["hand_valid"].all()
    assert found["hand_valid"].shape == whole["grasp"].shape
    for key in (*keys, "grasp", "hand_side"):
        np.testing.assert_array_equal(found[key], whole[key])
