"""Stored clips of two hands, measured independently with libigl."""

import igl
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.datasets.open_grasps.motion.one_hand import Job, make_clips
from toch_jax.datasets.open_grasps.search.hands import HandSamples
from toch_jax.datasets.open_grasps.two_hands.pairs import TwoHandedJob, make_two_handed
from toch_jax.datasets.prepared import Example, example_to_sequence
from toch_jax.datasets.spec import load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.mesh import close_surface, closed_faces
from toch_jax.hand.model import HandModel, skin_frames

# compiling the grasp search takes almost a minute
pytestmark = pytest.mark.slow

SPEC = load_spec("open_grasps")
EXPECTED = [("capsule_0_0", "right", 106), ("capsule_0_1", "left", 129)]
JOBS = (
    TwoHandedJob("notebook", 0, ("open", "hold"), seed=0),
    TwoHandedJob("book", 0, ("lift", "pass"), seed=0),
    TwoHandedJob("laptop", 0, ("pass",), seed=0),
)


@pytest.fixture(scope="module")
def clips(model: HandModel, samples: HandSamples) -> dict[str, Example]:
    made = [clip for job in JOBS for clip in make_two_handed(SPEC, model, samples, job)]
    assert sorted(clip["id"].split("_")[3] for clip in made) == sorted(a for job in JOBS for a in job.actions)
    return {clip["id"]: clip for clip in made}


def skins(clip: Example) -> list[np.ndarray]:
    """Each hand's vertices (T, V, 3) in the world from the stored parameters, metres."""
    sequence = example_to_sequence(SPEC, clip)
    params = sequence.hands.params
    return [
        np.asarray(skin_frames(load_hand("open", side), jax.tree.map(lambda x, h=hand: x[h], params))[0], np.float64)
        for hand, side in enumerate(sequence.hand_side)
    ]


def distances(clip: Example, skin: np.ndarray) -> np.ndarray:
    """Signed distance (T, V) to the nearest part, metres; negative inside."""
    nearest = np.full(skin.shape[:2], np.inf)
    for part in range(len(clip["object_rotation"])):
        rotation = Rotation.from_rotvec(clip["object_rotation"][part]).as_matrix()
        local = np.einsum("tab,tva->tvb", rotation, skin - clip["object_translation"][part][:, None])
        faces = clip["object_faces"][clip["object_vertex_part"][clip["object_faces"][:, 0]] == part].astype(np.int64)
        surface = clip["object_vertices"].astype(np.float64), faces
        sign = igl.SIGNED_DISTANCE_TYPE_PSEUDONORMAL
        found = igl.signed_distance(local.reshape(-1, 3), *surface, sign_type=sign)[0].reshape(skin.shape[:2])
        nearest = np.minimum(nearest, found)
    return nearest


def test_hands_hold_where_the_flag_says_so_and_are_in_nothing(clips: dict[str, Example], model: HandModel) -> None:
    digit = (np.argmax(np.asarray(model.weights), axis=1) - 1) // 3
    palm = np.argmax(np.asarray(model.weights), axis=1) == 0
    for name, clip in clips.items():
        assert clip["hand_side"] == ("right left" if len(clip["grasp"]) == 2 else clip["hand_side"]), name
        for hand, skin in enumerate(skins(clip)):
            distance = distances(clip, skin)
            assert distance.min() > -0.0031, name
            touching = np.stack([(distance[:, (digit == d) & ~palm] < 0.0021).any(axis=1) for d in range(5)], axis=1)
            held = clip["grasp"][hand]
            assert held.sum() > 20, name
            assert (touching[held].sum(axis=1) >= 3).all(), name
            # digit 4 is the thumb
            assert touching[held, 4].mean() > 0.9, name
            # an object that is passed on may begin or end near the hand that does not hold it then
            assert min(distance[0].min(), distance[-1].min()) > (0.003 if "pass" in name else 0.03), name


def test_hands_are_not_in_each_other(clips: dict[str, Example]) -> None:
    for name, clip in clips.items():
        if len(clip["grasp"]) == 1:
            continue
        models = [load_hand("open", side) for side in clip["hand_side"].split()]
        closed = [
            np.asarray(close_surface(m, jnp.asarray(s, jnp.float32)), np.float64)
            for m, s in zip(models, skins(clip), strict=True)
        ]
        for one, two in ((0, 1), (1, 0)):
            faces = np.asarray(closed_faces(models[two]), np.int64)
            for mine, theirs in zip(closed[one][::2], closed[two][::2], strict=True):
                sign = igl.SIGNED_DISTANCE_TYPE_WINDING_NUMBER
                near = mine[((mine > theirs.min(axis=0)) & (mine < theirs.max(axis=0))).all(axis=1)]
                if len(near):
                    assert igl.signed_distance(near, theirs, faces, sign_type=sign)[0].min() > -0.0011, name


def test_parts_turn_about_one_axis_and_nothing_jumps(clips: dict[str, Example]) -> None:
    for name, clip in clips.items():
        turn = [Rotation.from_rotvec(rotation) for rotation in clip["object_rotation"]]
        if len(turn) == 2:
            between = (turn[0].inv() * turn[1]).as_rotvec()
            assert np.abs(between[:, :2]).max() < 1e-4, name
            assert between[:, 2].max() < 1e-4, name
            np.testing.assert_array_equal(*clip["object_translation"])
            assert (np.ptp(between[:, 2]) > np.deg2rad(20)) == ("open" in name), name
        for key in ("object_translation", "hand_transl"):
            assert np.linalg.norm(np.diff(clip[key], axis=1), axis=-1).max() * SPEC.fps < 2.5, name
        # without a grasp the object rests
        free = ~clip["grasp"].any(axis=0)
        steps = np.linalg.norm(np.diff(clip["object_translation"][0], axis=0), axis=1)
        assert steps[free[1:] & free[:-1]].max() < 1e-6, name


def test_passing_on_changes_hands(clips: dict[str, Example]) -> None:
    for name in (name for name in clips if "pass" in name):
        grasp = clips[name]["grasp"]
        first = int(np.argmax(grasp.argmax(axis=1) == grasp.argmax(axis=1).min()))
        assert grasp[first, grasp.any(axis=0)][0], name
        assert not grasp[first, np.flatnonzero(grasp[1 - first])[-1]], name
        assert (grasp.all(axis=0)).sum() >= 5, name


def test_clips_of_one_hand_are_as_ever(model: HandModel, samples: HandSamples) -> None:
    # values from before two-handed clips existed: a change means that the random streams have changed
    clips = make_clips(SPEC, model, samples, Job("capsule", 0, 2, seed=3))
    assert [(clip["id"], clip["hand_side"], clip["grasp"].shape[1]) for clip in clips] == EXPECTED
