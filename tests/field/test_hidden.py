"""Occlusion of the hand from the box's samples by the lid, against trimesh and embree on the posed mesh."""

import jax.numpy as jnp
import numpy as np
import trimesh
from scipy.spatial.transform import Rotation
from support.peer_field import REACH, peer_field
from support.two_hands import DEPTH, HEIGHT, box, lid

from toch_jax.field.contact_field import contact_field
from toch_jax.field.hidden import behind_other_parts
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandParams, skin_frames
from toch_jax.hand.prior import pose_prior
from toch_jax.object.build import build_object
from toch_jax.object.motion import motion_from_axis_angle, samples_in_frame

FRAMES = 6


def test_a_lid_hides_the_hand_above_it_and_no_longer_once_it_is_open() -> None:
    """Against rays of other libraries with all parts in their poses, frame by frame."""
    parts, hand = [box(), lid()], load_hand()
    faces = [parts[0].faces, parts[1].faces + len(parts[0].vertices)]
    of_part = np.repeat([0, 1], [len(part.vertices) for part in parts])
    rest = np.concatenate([part.vertices for part in parts])
    object = build_object(rest, np.concatenate(faces), of_part, n_samples=4000)
    opening = np.linspace(0, 1.5, FRAMES)[:, None] * [-1.0, 0, 0]
    turn, moved = np.full((FRAMES, 3), 0.3), np.full((FRAMES, 3), [1.0, 0.5, 0.2])
    base = Rotation.from_rotvec(turn)
    motion = motion_from_axis_angle(
        np.stack([turn, (base * Rotation.from_rotvec(opening)).as_rotvec()]),
        np.stack([moved, moved + base.apply([0, DEPTH / 2, HEIGHT])]),
    )
    # palm down and at rest over the box and its closed lid
    params = HandParams(
        global_orient=jnp.asarray((base * Rotation.from_rotvec([np.pi / 2, 0, 0])).as_rotvec(), jnp.float32),
        pose=jnp.tile(pose_prior("right").mean, (FRAMES, 1)),
        betas=jnp.zeros((FRAMES, 10)),
        transl=jnp.zeros((FRAMES, 3)),
    )
    skin = np.asarray(skin_frames(hand, params)[0])
    skin = skin - skin.mean(axis=1, keepdims=True) + (moved + base.apply([0, 0, HEIGHT + 0.035]))[:, None]
    skin = skin.astype(np.float32)
    field = contact_field(jnp.asarray(skin), hand.faces, hand.v_template, object, motion)

    points, normals = (np.asarray(each, np.float64) for each in samples_in_frame(object.samples, motion))
    poses = Rotation.from_matrix(np.asarray(motion.rotation).reshape(-1, 3, 3)).as_matrix().reshape(2, FRAMES, 3, 3)
    agree, observed, alone = [], [], []
    for t in range(FRAMES):
        where = np.einsum("vab,vb->va", poses[of_part, t], rest) + np.asarray(motion.translation)[of_part, t]
        mesh = trimesh.Trimesh(skin[t], np.asarray(hand.faces), process=False)
        every = trimesh.Trimesh(where, np.concatenate(faces), process=False)
        mask, distance, _ = peer_field(mesh, np.asarray(hand.v_template), every, points[t], normals[t])
        agree.append(mask == field.mask[t])
        observed.append(mask)
        # the mask without occlusion by the other part
        own = [
            peer_field(mesh, np.asarray(hand.v_template), trimesh.Trimesh(where, f), points[t], normals[t])[0]
            for f in faces
        ]
        alone.append(np.where(np.asarray(object.samples.part) == 0, *own))
        both = mask & np.asarray(field.mask[t])
        np.testing.assert_allclose(np.asarray(field.distance[t])[both], distance[both], atol=1e-4)
    agree, observed, alone = np.stack(agree), np.stack(observed), np.stack(alone)
    hidden = alone & ~observed
    in_box = np.asarray(object.samples.part) == 0
    assert hidden[0, in_box].sum() > 30
    assert hidden[-1].sum() < 0.2 * hidden[0].sum()
    assert agree.mean() > 0.995
    assert agree[hidden].mean() > 0.95
    assert not np.any(np.asarray(field.distance)[~np.asarray(field.mask)])


def test_nothing_is_hidden_within_no_distance() -> None:
    parts = [box(), lid()]
    rest = np.concatenate([part.vertices for part in parts])
    faces = np.concatenate([parts[0].faces, parts[1].faces + len(parts[0].vertices)])
    of_part = np.repeat([0, 1], [len(part.vertices) for part in parts])
    object = build_object(rest, faces, of_part, n_samples=200, sdf_resolution=33)
    shut = motion_from_axis_angle(np.zeros((2, 1, 3)), np.array([[[0, 0, 0]], [[0, DEPTH / 2, HEIGHT]]]))
    up = (np.asarray(object.samples.normals)[:, 2] > 0.9) & (np.asarray(object.samples.part) == 0)
    for far, hidden in ((0.0, False), (REACH, True)):
        found = np.asarray(behind_other_parts(object.samples, object.grid, shut, jnp.full((1, 200), far)))[0]
        assert np.all(found[up] == hidden)
