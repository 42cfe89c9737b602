"""From uneven time stamps to frames of equal steps: what was tracked is interpolated to the frames' times.

Points, translations, shapes and coefficients linearly, rotations along the shortest arc (slerp). Nothing is
interpolated from a lost frame, nor over a gap of more than LONGEST_GAP seconds and three steps: frames there are lost.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.trackers.stamps import is_even
from toch_jax.trackers.tracked import Tracked

LONGEST_GAP = 0.1
"""Seconds; a few frames of a usual camera. Chosen by hand."""
ON_STAMP = 1e-3
"""Distance from a stamp, in steps between stamps, within which a frame is the stamp's own."""


class Between(NamedTuple):
    """For each time: the stamps before and after it, and how far it is on the way, 0 to 1."""

    before: Int[np.ndarray, "T"]
    after: Int[np.ndarray, "T"]
    share: Float[np.ndarray, "T"]
    known: Bool[np.ndarray, "T"]
    """Whether the time lies between two near stamps, or on one."""


def between(stamps: Float[np.ndarray, "K"], seconds: Float[np.ndarray, "T"]) -> Between:
    after = np.searchsorted(stamps, seconds).clip(1, len(stamps) - 1)
    before = after - 1
    gap = stamps[after] - stamps[before]
    share = (seconds - stamps[before]) / gap
    for place, stamp in ((0.0, before), (1.0, after)):
        own = np.abs(share - place) < ON_STAMP
        before, after, share = np.where(own, stamp, before), np.where(own, stamp, after), np.where(own, 0.0, share)
    near = gap <= max(LONGEST_GAP, 3 * float(np.median(np.diff(stamps))))
    return Between(before, after, share, (share == 0) | (near & (share > 0) & (share < 1)))


def points_at(at: Between, values: Float[np.ndarray, "*rest"], axis: int) -> Float[np.ndarray, "*rest2"]:
    """Values along an axis of frames, at other times; NaN where they are not known."""
    moved = np.moveaxis(values, axis, 0)
    share = at.share.reshape(-1, *[1] * (moved.ndim - 1))
    found = np.where(share == 0, moved[at.before], (1 - share) * moved[at.before] + share * moved[at.after])
    found[~at.known] = np.nan
    return np.moveaxis(found, 0, axis)


def turns_at(at: Between, vectors: Float[np.ndarray, "*rest"], axis: int) -> Float[np.ndarray, "*rest2"]:
    """`points_at` for rotation vectors, three numbers each in the last axis."""
    moved = np.moveaxis(vectors, axis, 0)
    first, last = (moved[index].reshape(-1, 3) for index in (at.before, at.after))
    share = np.repeat(at.share, len(first) // max(len(at.share), 1))[:, None]
    known = np.isfinite(first).all(axis=1) & np.isfinite(last).all(axis=1)
    found = np.full(first.shape, np.nan)
    start = Rotation.from_rotvec(np.where(known[:, None], first, 0))
    way = (start.inv() * Rotation.from_rotvec(np.where(known[:, None], last, 0))).as_rotvec()
    found[known] = (start * Rotation.from_rotvec(share * way)).as_rotvec()[known]
    found = found.reshape(len(at.share), *moved.shape[1:])
    found[~at.known] = np.nan
    return np.moveaxis(found, 0, axis)


def poses_at(at: Between, poses: Float[np.ndarray, "*rest K 4 4"]) -> Float[np.ndarray, "*rest T 4 4"]:
    """Rigid motions at other times."""
    known = np.isfinite(poses).all(axis=(-1, -2))
    turns = np.full((*poses.shape[:-2], 3), np.nan)
    turns[known] = Rotation.from_matrix(poses[known][:, :3, :3]).as_rotvec()
    vectors, places = turns_at(at, turns, -2), points_at(at, poses[..., :3, 3], -2)
    found = np.full((*vectors.shape[:-1], 4, 4), np.nan)
    known = np.isfinite(vectors).all(axis=-1) & np.isfinite(places).all(axis=-1)
    found[known] = np.eye(4)
    found[known, :3, :3] = Rotation.from_rotvec(vectors[known]).as_matrix()
    found[known, :3, 3] = places[known]
    return found


def evened(tracked: Tracked, poses: Float[np.ndarray, "*P T 4 4"]) -> tuple[Tracked, Float[np.ndarray, "*P T2 4 4"]]:
    """The hands and the object in frames of equal steps, if their stamps are uneven; else as they are."""
    if tracked.seconds is None or tracked.fps is None or is_even(tracked.seconds):
        return tracked, poses
    stamps = tracked.seconds
    count = int(np.floor((stamps[-1] - stamps[0]) * tracked.fps + ON_STAMP)) + 1
    at = between(stamps, stamps[0] + np.arange(count) / tracked.fps)

    def each(change: Callable[..., np.ndarray], value: np.ndarray | None, axis: int) -> np.ndarray | None:
        return None if value is None else change(at, value, axis)

    mano, camera = tracked.mano, tracked.camera
    if mano is not None:
        mano = replace(
            mano,
            global_orient=turns_at(at, mano.global_orient, 1),
            pose=(points_at if mano.is_pca else turns_at)(at, mano.pose, 1),
            transl=points_at(at, mano.transl, 1),
            betas=points_at(at, mano.betas, 1) if mano.betas.ndim == 3 else mano.betas,
            moved_by=None if mano.moved_by is None else poses_at(at, mano.moved_by),
        )
    if camera is not None and camera.from_world is not None:
        # the camera's own motion is what is smooth
        camera = replace(camera, from_world=np.linalg.inv(poses_at(at, np.linalg.inv(camera.from_world))))
    lost = int((~at.known).sum())
    said = f"interpolated to {count} frames at {tracked.fps:.4g} fps" + (f", {lost} of them in gaps" if lost else "")
    return replace(
        tracked,
        joints=each(points_at, tracked.joints, 1),
        vertices=each(points_at, tracked.vertices, 1),
        mano=mano,
        camera=camera,
        numbers=None,
        seconds=None,
        said=(*tracked.said, said),
    ), poses_at(at, poses)
