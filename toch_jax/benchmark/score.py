"""Comparison of a method's output with the ground truth: one number for each metric of `METRICS`."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.programs import program
from toch_jax.benchmark.methods.method import Prediction, hand_model, predict
from toch_jax.field.contact_field import ContactField, contact_field
from toch_jax.hand.mesh import close_surface
from toch_jax.metrics import arctic, object_pose
from toch_jax.metrics import joints as error
from toch_jax.metrics.clip import HandContact, hand_contact, in_part, sequence_parts, shared_volumes_cm3, spread
from toch_jax.metrics.contact import (
    CONTACT_DISTANCE_M,
    Part,
    contact_f1,
    contact_iou,
    hands_depth_mm,
    samples_near_hand,
    signed_distances,
)
from toch_jax.metrics.joints import AUC_M, LEVELS, PCK_M, inside_interval
from toch_jax.metrics.metric import CONTACT_FRAMES, VOLUME_FRAMES
from toch_jax.metrics.motion import (
    acceleration_error_m_s2,
    acceleration_error_mm_frame2,
    hand_object_motion_mm2,
    jitter_m_s3,
)
from toch_jax.object.model import ObjectModel, ObjectMotion, samples_in_frame
from toch_jax.sequence.derived import PosedHand, sequence_object
from toch_jax.sequence.types import Sequence
from toch_jax.track.part_frame import nearest_part

Scores = dict[str, float]
"""Value by metric; metrics that are undefined for the clip or the method have no entry."""


@dataclass(frozen=True)
class Contact:
    """Contact of one hand with the object on the frames `GroundTruth.frames`."""

    hand: HandContact
    volumes_cm3: Float[np.ndarray, "S"]
    """Intersection volumes on at most VOLUME_FRAMES of the frames in which the true hand is in contact."""
    volumes_are_exact: bool
    field: ContactField
    near: Bool[np.ndarray, "T N"]
    """Whether each object sample is within CONTACT_SAMPLE_M (2 mm) of the hand."""


@dataclass(frozen=True)
class GroundTruth:
    """Quantities of a clean clip that are computed once."""

    clean: Sequence
    hands: list[PosedHand]
    object: ObjectModel
    parts: list[Part]
    frames: np.ndarray
    """Indices of the frames on which contact is measured, at most CONTACT_FRAMES."""
    contacts: list[Contact]
    touching: list[Bool[np.ndarray, "P T V"]]
    """For each hand, whether a vertex is within 5 mm of a part or inside it, in all frames."""
    pairs: list[arctic.Pairs]
    """For each hand, its contact pairs with the object (ARCTIC)."""
    static_contacts: list[list[arctic.StaticContact]]
    """For each hand, its static contacts (ARCTIC)."""

    @property
    def motion(self) -> ObjectMotion:
        return self.clean.object_motion

    @property
    def prediction(self) -> Prediction:
        return Prediction(self.hands, self.motion)


def prepare(clean: Sequence) -> GroundTruth:
    """The ground truth of a clean clip, for `score`."""
    frames = np.unique(np.linspace(0, clean.n_frames - 1, CONTACT_FRAMES).round().astype(int))
    hands, parts = predict(clean).hands, sequence_parts(clean)
    truth = GroundTruth(clean, hands, sequence_object(clean).without_mesh(), parts, frames, [], [], [], [])
    pairs = [
        arctic.touching_pairs(
            [_skin_in_part(clean.object_motion, p, hand)[:, : _n_own(clean)] for p in range(len(parts))], parts
        )
        for hand in hands
    ]
    return replace(
        truth,
        contacts=[_measure_contact(truth, clean.object_motion, i, hand) for i, hand in enumerate(hands)],
        touching=[
            np.stack(
                [
                    signed_distances(_skin_in_part(clean.object_motion, p, hand), part) <= CONTACT_DISTANCE_M
                    for p, part in enumerate(parts)
                ]
            )
            for hand in hands
        ],
        pairs=pairs,
        static_contacts=[arctic.static_contacts(each, parts, clean.object_motion) for each in pairs],
    )


def score(truth: GroundTruth, prediction: Prediction, observed: Bool[np.ndarray, "H T"] | None = None) -> Scores:
    """The metrics of `METRICS`, means over the clip's hands; all hands need joints and a closed mesh.

    All frames count, also those that the tracker lost (not `observed`). Depth and volume are means over the frames in
    which the true hand is in contact, so that the set of frames does not depend on the method.
    """
    rows: list[Scores] = []
    for i, (hand, true) in enumerate(zip(prediction.hands, truth.hands, strict=True)):
        lost = np.zeros(truth.clean.n_frames, bool) if observed is None else ~observed[i]
        row = _position_metrics(truth, prediction, hand, true, lost) | _motion_metrics(truth, prediction, i, hand, true)
        row |= _contact_metrics(truth.contacts[i], _measure_contact(truth, prediction.object_motion, i, hand))
        if hand.sigma is not None:
            off = _given(hand.joints) - _given(true.joints)
            row |= {f"inside_{level}": 100 * inside_interval(off, hand.sigma, level) for level in LEVELS}
        rows.append({metric: value for metric, value in row.items() if np.isfinite(value)})
    if len(rows) > 1:
        rows += [{f"mpjpe_{side}": row["mpjpe"]} for side, row in zip(truth.clean.hand_side, rows, strict=True)]
        rows.append(
            {"hands_depth": float(hands_depth_mm([_at_frames(h, truth.frames) for h in prediction.hands]).mean())}
        )
    metrics = {metric: None for row in rows for metric in row}
    means = {metric: float(np.mean([row[metric] for row in rows if metric in row])) for metric in metrics}
    return means | {
        metric: value for metric, value in _relative_metrics(truth, prediction).items() if np.isfinite(value)
    }


def _relative_metrics(truth: GroundTruth, prediction: Prediction) -> Scores:
    """Metrics that are not of a single hand: relative positions of hands and object, and the object's own motion."""
    sides = truth.clean.hand_side
    wrists, true_wrists = (
        {side: _given(hand.joints)[:, 0] for side, hand in zip(sides, hands, strict=True)}
        for hands in (prediction.hands, truth.hands)
    )
    scores: Scores = {}
    if "right" in wrists and "left" in wrists:
        scores["mrrpe_rl"] = arctic.mrrpe_mm(wrists["right"], wrists["left"], true_wrists["right"], true_wrists["left"])
    roots = [arctic.object_root(truth.parts, motion) for motion in (prediction.object_motion, truth.motion)]
    if "right" in wrists:
        scores["mrrpe_ro"] = arctic.mrrpe_mm(wrists["right"], roots[0], true_wrists["right"], roots[1])
    shaken = truth.parts, prediction.object_motion, truth.clean.fps
    resting = object_pose.resting_frames(truth.parts, truth.motion, truth.clean.fps)
    scores["object_acceleration"] = object_pose.object_acceleration_m_s2(*shaken)
    scores["object_acceleration_rest"] = object_pose.object_acceleration_m_s2(*shaken, resting)
    if prediction.object_motion is not truth.motion and not _same(prediction.object_motion, truth.motion):
        scores["aae"] = arctic.aae_deg(prediction.object_motion, truth.motion)
        scores["success_rate"] = 100 * arctic.success_rate(truth.parts, prediction.object_motion, truth.motion)
        scores |= _object_metrics(truth, prediction)
    return scores


def _object_metrics(truth: GroundTruth, prediction: Prediction) -> Scores:
    """The errors of an object's motion that is not the true one, and of the hands as seen from it."""
    motions = prediction.object_motion, truth.motion
    inside = [
        object_pose.mpjpe_in_object_mm(
            _given(hand.joints),
            _given(true.joints),
            *motions,
            nearest_part(truth.clean, jnp.asarray(_given(true.joints)), true.observed),
        )
        for hand, true in zip(prediction.hands, truth.hands, strict=True)
    ]
    return {
        "object_translation": object_pose.object_translation_mm(truth.parts, *motions),
        "object_rotation": object_pose.object_rotation_deg(*motions),
        "object_add": object_pose.add_mm(truth.parts, *motions),
        "object_add_s": object_pose.add_s_mm(truth.parts, *motions),
        "object_acceleration_error": object_pose.object_acceleration_error_m_s2(truth.parts, *motions, truth.clean.fps),
        "mpjpe_in_object": float(np.mean(inside)),
    }


def _same(one: ObjectMotion, other: ObjectMotion) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def _n_own(clean: Sequence) -> int:
    """Number of the hand model's own vertices, without those that close the wrist."""
    return int(hand_model(clean.hand_model or "open", "right").v_template.shape[0])


def _at_frames(hand: PosedHand, frames: np.ndarray) -> PosedHand:
    """The hand's mesh in these frames, all marked as observed; no joints."""
    return PosedHand(None, _given(hand.vertices)[frames], hand.faces, np.ones(len(frames), dtype=bool))


def _position_metrics(
    truth: GroundTruth, prediction: Prediction, hand: PosedHand, true: PosedHand, lost: Bool[np.ndarray, "T"]
) -> Scores:
    joints, true_joints = _given(hand.joints), _given(true.joints)
    own = _n_own(truth.clean)
    corners = [
        np.concatenate(object_pose.box_corners(truth.parts, motion), axis=1)
        for motion in (prediction.object_motion, truth.motion)
    ]
    return {
        "mpjpe": error.mpjpe_mm(joints, true_joints),
        "mpjpe_missing": error.mpjpe_mm(joints[lost], true_joints[lost]) if lost.any() else np.nan,
        "mpjpe_root": error.mpjpe_root_mm(joints, true_joints),
        "mpjpe_object": error.mpjpe_object_mm(joints, true_joints, *(box.mean(axis=1) for box in corners)),
        "mpjpe_pa": error.mpjpe_pa_mm(joints, true_joints),
        "mpjpe_pa_scale": error.mpjpe_pa_mm(joints, true_joints, scale=True),
        "mpvpe": error.mpjpe_mm(_given(hand.vertices)[:, :own], _given(true.vertices)[:, :own]),
        "mpcpe": error.mpjpe_mm(*corners),
        "pck": 100 * error.pck(joints, true_joints, PCK_M),
        "auc": 100 * error.auc(joints, true_joints, AUC_M),
    }


def _motion_metrics(truth: GroundTruth, prediction: Prediction, i: int, hand: PosedHand, true: PosedHand) -> Scores:
    joints, true_joints, fps = _given(hand.joints), _given(true.joints), truth.clean.fps
    local = [_skin_in_part(prediction.object_motion, part, hand) for part in range(len(truth.parts))]
    own = _n_own(truth.clean)
    skin, true_skin = (_given(each.vertices)[:, :own] for each in (hand, true))
    wrist, true_wrist = joints[:, :1], true_joints[:, :1]
    return {
        "arctic_cdev": arctic.cdev_mm(skin, truth.pairs[i], truth.parts, prediction.object_motion),
        "arctic_mdev": arctic.mdev_mm(skin, truth.static_contacts[i], truth.parts, prediction.object_motion),
        "arctic_acc": acceleration_error_m_s2(skin - wrist, true_skin - true_wrist, fps),
        "acceleration_error": acceleration_error_m_s2(joints, true_joints, fps),
        "acceleration_error_root": acceleration_error_m_s2(joints, true_joints, fps, root=0),
        "acceleration_error_frame": acceleration_error_mm_frame2(joints, true_joints),
        "jitter": jitter_m_s3(joints, fps),
        "hand_object_motion": hand_object_motion_mm2(
            np.concatenate(local, axis=1), np.concatenate(truth.touching[i], axis=1)
        ),
    }


def _contact_metrics(true: Contact, found: Contact) -> Scores:
    held = true.hand.contact
    volumes = found.volumes_cm3
    return {
        "penetration_depth": float(found.hand.depth_mm[held].mean()) if held.any() else np.nan,
        "intersection_volume": float(volumes.mean()) if volumes.size else np.nan,
        "volume_exact": 100.0 * found.volumes_are_exact if volumes.size else np.nan,
        "contact_iou": 100 * contact_iou(found.field, true.field),
        "contact_f1": 100 * contact_f1(found.near, true.near),
        "contact_ratio": 100 * float(found.hand.contact.mean()),
        "contact_ratio_error": 100 * float((found.hand.contact != held).mean()),
    }


def _measure_contact(truth: GroundTruth, motion: ObjectMotion, i: int, hand: PosedHand) -> Contact:
    skin, frames, side = _given(hand.vertices), truth.frames, truth.clean.hand_side[i]
    motion_at_frames, mesh = _at(motion, frames), _at_frames(hand, frames)
    touched = hand_contact(motion_at_frames, truth.parts, mesh)
    true_contact = truth.contacts[i].hand.contact if truth.contacts else touched.contact
    some = spread(np.flatnonzero(true_contact), VOLUME_FRAMES)
    volumes, in_contact = np.zeros(len(some)), touched.contact[some]
    # without contact the volume is 0
    volumes[in_contact], exact = shared_volumes_cm3(motion_at_frames, truth.parts, mesh, some[in_contact])
    # padded to a fixed length, so that the field is compiled once
    padded = np.pad(frames, (0, CONTACT_FRAMES - len(frames)), mode="edge")
    model = hand_model(truth.clean.hand_model or "open", side)
    canonical, faces = close_surface(model, model.v_template), jnp.asarray(hand.faces)
    field = contact_field(jnp.asarray(skin[padded]), faces, canonical, truth.object, _at(motion, padded))
    samples = np.asarray(_samples_in_world(truth.object.samples, _at(motion, padded))[0])[: len(frames)]
    near = samples_near_hand(samples, skin[frames], _given(hand.faces))
    return Contact(touched, volumes, exact, jax.tree.map(lambda leaf: leaf[: len(frames)], field), near)


def _at(motion: ObjectMotion, frames: np.ndarray) -> ObjectMotion:
    return _take(motion, jnp.asarray(frames))


@program()
def _take(motion: ObjectMotion, frames: Int[Array, "S"]) -> ObjectMotion:
    return ObjectMotion(motion.rotation[:, frames], motion.translation[:, frames])


_samples_in_world = program()(samples_in_frame)


def _skin_in_part(motion: ObjectMotion, part: int, hand: PosedHand) -> Float[np.ndarray, "T V 3"]:
    return np.asarray(in_part(motion, part, jnp.asarray(_given(hand.vertices))))


def _given(values: np.ndarray | None) -> np.ndarray:
    assert values is not None, "the benchmark's hands have joints and a mesh"
    return values
