"""The spec files, the example <-> Sequence conversion and the round trip through TFDS."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import InputError
from toch_jax.datasets.features import Example, check_example, example_to_sequence, sequence_to_example, with_hand_axis
from toch_jax.datasets.read import read_examples, read_sequences
from toch_jax.datasets.spec import SPEC_DIR, load_spec, spec_names
from toch_jax.datasets.write import tfds_info


def example(frames: int = 7, parts: int = 2, seed: int = 0, side: str = "left right") -> Example:
    rng, hands = np.random.default_rng(seed), len(side.split())
    return {
        "id": f"clip_{seed}",
        "object": "mug",
        "hand_side": side,
        "fps": np.float32(30),
        "hand_global_orient": rng.normal(size=(hands, frames, 3)).astype(np.float32),
        "hand_pose": rng.normal(size=(hands, frames, 45)).astype(np.float32),
        "hand_transl": rng.normal(size=(hands, frames, 3)).astype(np.float32),
        "hand_betas": rng.normal(size=(hands, 10)).astype(np.float32),
        "hand_valid": rng.random((hands, frames)) < 0.8,
        "object_vertices": rng.normal(size=(11, 3)).astype(np.float32),
        "object_faces": rng.integers(0, 11, size=(5, 3)).astype(np.int32),
        "object_vertex_part": rng.integers(0, parts, size=11).astype(np.int32),
        "object_rotation": rng.normal(size=(parts, frames, 3)).astype(np.float32),
        "object_translation": rng.normal(size=(parts, frames, 3)).astype(np.float32),
        "grasp": rng.random((hands, frames)) < 0.5,
    }


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
def test_sequence_round_trip(side: str) -> None:
    spec = load_spec("open_grasps")
    clip = example(side=side)
    sequence = example_to_sequence(spec, clip)
    assert " ".join(sequence.hand_side) == side
    assert sequence.hands.params is not None
    assert sequence.hands.params.betas.shape == (len(side.split()), 7, 10)
    np.testing.assert_array_equal(sequence.hand_valid, clip["hand_valid"])
    wanted = Rotation.from_rotvec(clip["object_rotation"].reshape(-1, 3)).as_matrix().reshape(2, 7, 3, 3)
    np.testing.assert_allclose(sequence.object_motion.rotation, wanted, atol=1e-5)
    back = sequence_to_example(spec, sequence, id="clip_0", object="mug", grasp=clip["grasp"])
    turned = Rotation.from_rotvec(back.pop("object_rotation").reshape(-1, 3)).as_matrix().reshape(2, 7, 3, 3)
    np.testing.assert_allclose(turned, wanted, atol=1e-5)
    for key, value in back.items():
        np.testing.assert_array_equal(value, clip[key])


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


def test_one_hand_gets_its_axis() -> None:
    whole = example(side="right")
    flat = {key: value[0] if key.startswith("hand_") and key != "hand_side" else value for key, value in whole.items()}
    flat["grasp"], flat["side"] = whole["grasp"][0], flat.pop("hand_side")
    del flat["hand_valid"]
    found = with_hand_axis(flat)
    assert found.keys() == whole.keys()
    assert found.pop("hand_valid").all()
    for key, value in found.items():
        np.testing.assert_array_equal(value, whole[key])


def test_way_through_tfds(tmp_path: Path) -> None:
    spec = load_spec("open_grasps")
    clips = {f"clip_{i}": {**example(frames=5 + i, seed=i), "id": f"clip_{i}"} for i in range(3)}

    class OpenGrasps(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version(spec.version)

        def _info(self) -> tfds.core.DatasetInfo:
            return tfds_info(self, spec)

        def _split_generators(self, dl_manager: object) -> dict:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> object:
            yield from clips.items()

    OpenGrasps(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    found = {clip["id"]: clip for clip in read_examples("open_grasps", "train", tmp_path)}
    assert found.keys() == clips.keys()
    for name, clip in clips.items():
        for key, value in clip.items():
            np.testing.assert_array_equal(found[name][key], value)
            assert np.asarray(found[name][key]).dtype.kind == np.asarray(value).dtype.kind
    name, sequence = next(read_sequences("open_grasps", "train[:1]", tmp_path))
    assert sequence.n_frames == clips[name]["grasp"].shape[1]
    np.testing.assert_array_equal(sequence.hand_valid, clips[name]["hand_valid"])
    with pytest.raises(InputError, match="split: expected one of train, found 'val'"):
        next(read_sequences("open_grasps", "val", tmp_path))


def test_missing_data_set_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="toch prepare open_grasps"):
        next(read_sequences("open_grasps", "train", tmp_path))
