"""A box with a lid and two hands: the left one holds the box at its front wall, the right one is on the opening lid."""

import igl
import jax
import jax.numpy as jnp
import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import stack
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandParams, Side, skin_frames
from toch_jax.hand.prior import pose_prior
from toch_jax.object.model import motion_from_axis_angle
from toch_jax.sequence.types import Hands, Sequence
from toch_jax.track.part_frame import hand_to_world

FRAMES = 32
WIDTH, DEPTH, HEIGHT, WALL = 0.18, 0.12, 0.07, 0.006
GAP = 0.0005
"""Distance between a hand and the part that it holds, metres."""


def box() -> trimesh.Trimesh:
    """A box that is open at the top, with its floor at the origin."""
    outer = trimesh.creation.box((0.18, DEPTH, HEIGHT)).apply_translation((0, 0, HEIGHT / 2))
    inner = trimesh.creation.box((WIDTH - 2 * WALL, DEPTH - 2 * WALL, HEIGHT))
    inner.apply_translation((0, 0, HEIGHT / 2 + WALL))
    return trimesh.boolean.difference([outer, inner], engine="manifold")


def lid() -> trimesh.Trimesh:
    """The lid: its hinge is the x axis, it extends to -y and is slightly above the rim."""
    return trimesh.creation.box((WIDTH, DEPTH, WALL)).apply_translation((0, -DEPTH / 2, WALL / 2 + 0.0005))


def placed(
    side: Side, turn: tuple[float, float, float], above: tuple[float, float, float], part: trimesh.Trimesh
) -> HandParams:
    """A relaxed hand of one frame, moved in its palm's direction from `above` until it almost touches the part.

    The part's frame is used; the palm faces -y of the hand before the rotation `turn` (axis-angle).
    """
    model, pose = load_hand("open", side), 0.5 * pose_prior(side).mean
    params = HandParams(jnp.asarray(turn)[None], pose[None], jnp.zeros((1, 10)), jnp.zeros((1, 3)))
    skin = np.asarray(skin_frames(model, params)[0][0], np.float64)
    way = -Rotation.from_rotvec(turn).as_matrix()[:, 1]
    start = np.asarray(above) - skin.mean(axis=0)

    def clear(along: float) -> bool:
        moved = skin + start + along * way
        return igl.signed_distance(moved, np.asarray(part.vertices), np.asarray(part.faces, np.int64))[0].min() > GAP

    assert clear(0.0)
    far = next(along for along in np.arange(0.0, 0.2, 0.005) if not clear(along))
    near = far - 0.005
    for _ in range(8):
        middle = (near + far) / 2
        near, far = (middle, far) if clear(middle) else (near, middle)
    return params.replace(transl=jnp.asarray(start + near * way, jnp.float32)[None])


def two_handed(between: float = 0.0) -> Sequence:
    """The clean clip, with the right hand moved away from the box's front by `between` metres."""
    parts = [box(), lid()]
    time = np.linspace(0, 1, FRAMES)
    opening = 1.2 * (3 * time**2 - 2 * time**3)
    turn = np.stack([0.3 * np.sin(2 * time), 0.2 * time, 0.4 * time], axis=1)
    base = Rotation.from_rotvec(turn)
    moved = np.stack([0.1 * time, 0.05 * np.sin(3 * time), 0.3 + 0.05 * time], axis=1)
    hinged = base * Rotation.from_rotvec(-opening[:, None] * [1.0, 0, 0])
    rotation = np.stack([base.as_rotvec(), hinged.as_rotvec()])
    translation = np.stack([moved, moved + base.apply([0, DEPTH / 2, HEIGHT])])
    hands = {
        "left": placed("left", (np.pi, 0, 0), (-0.04, -DEPTH / 2 - 0.1, 0.6 * HEIGHT), parts[0]),
        "right": placed("right", (np.pi / 2, 0, 0), (0.03, -DEPTH + 0.035 + between, 0.1), parts[1]),
    }
    sequence = Sequence(
        fps=30.0,
        hand_side=("left", "right"),
        hand_model="open",
        hands=Hands(params=None, joints=None, vertices=None, vertex_order=None),
        hand_valid=jnp.ones((2, FRAMES), dtype=bool),
        object_vertices=jnp.asarray(np.concatenate([part.vertices for part in parts]), jnp.float32),
        object_faces=jnp.asarray(np.concatenate([parts[0].faces, parts[1].faces + len(parts[0].vertices)]), jnp.int32),
        object_vertex_part=jnp.asarray(np.repeat([0, 1], [len(part.vertices) for part in parts]), jnp.int32),
        object_motion=motion_from_axis_angle(rotation, translation),
        truth=None,
        hand_joint_sigma=None,
    )
    held = [jax.tree.map(lambda leaf: jnp.repeat(leaf, FRAMES, axis=0), hand) for hand in hands.values()]
    world = [
        hand_to_world(load_hand("open", side), params, sequence, part)
        for part, (side, params) in enumerate(zip(hands, held, strict=True))
    ]
    return sequence.replace(hands=Hands(params=stack(world), joints=None, vertices=None, vertex_order=None))
