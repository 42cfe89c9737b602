"""Definition of each metric of the benchmark, with its unit and constants; written beside the results."""

from dataclasses import dataclass

from toch_jax.metrics.arctic import CONTACT_M, SUCCESS, WINDOW
from toch_jax.metrics.calibration import LEVELS
from toch_jax.metrics.contact import CONTACT_DISTANCE_M, CONTACT_SAMPLE_M, VOXEL_PITCH_M

CONTACT_FRAMES = 20
"""Maximum number of frames, evenly spread, for depth, contact and field; joints and skin are measured in all."""
VOLUME_FRAMES = 8
"""Maximum number of those frames, with the true hand in contact, for the volume."""
PCK_M = 0.02
"""Threshold of the PCK metric, metres."""
AUC_M = 0.05
"""Largest threshold of the AUC metric, metres."""


@dataclass(frozen=True)
class Metric:
    """Unit and meaning of one metric."""

    unit: str
    meaning: str
    headline: bool = False
    """Whether the short table of results shows it."""


_ON_FRAMES = f"on at most {CONTACT_FRAMES} frames, evenly spread"
_NEAR = f"{CONTACT_DISTANCE_M * 1e3:g} mm"
_TOUCH = f"{CONTACT_SAMPLE_M * 1e3:g} mm"
_PAIR = f"{CONTACT_M * 1e3:g} mm"
_HELD = "mean over the frames in which the true hand is in contact"

METRICS: dict[str, Metric] = {
    "mpjpe": Metric("mm", "mean distance of the 21 joints (16 and the tips), nothing aligned, all frames", True),
    "mpjpe_missing": Metric("mm", "mpjpe on the frames that the tracker lost", True),
    "mpjpe_right": Metric("mm", "mpjpe of the right hand; clips of several hands", True),
    "mpjpe_left": Metric("mm", "mpjpe of the left hand; clips of several hands", True),
    "mpjpe_root": Metric("mm", "mpjpe after the wrist (joint 0) of each frame is moved to the origin"),
    "mpjpe_object": Metric("mm", "mpjpe after the centre of the object's box is moved to the origin (as ContactOpt)"),
    "mpjpe_pa": Metric("mm", "mpjpe after the best rotation and translation of each frame (ContactOpt's)", True),
    "mpjpe_pa_scale": Metric("mm", "mpjpe after the best rotation, translation and scale of each frame (HO-3D's)"),
    "mpvpe": Metric("mm", "mean distance of the skin's vertices (GrabNet's vertex-to-vertex error), not aligned"),
    "mpcpe": Metric("mm", "mean distance of the corners of the object's box; 0 for methods that leave the object"),
    "pck": Metric("%", f"joints within {PCK_M * 1e3:g} mm (3D-PCK), not aligned"),
    "auc": Metric("%", f"area under 3D-PCK from 0 to {AUC_M * 1e3:g} mm, exact, not aligned"),
    "penetration_depth": Metric("mm", f"deepest hand vertex inside the object; {_HELD}, {_ON_FRAMES}", True),
    "intersection_volume": Metric(
        "cm3",
        f"volume shared by the solid hand, closed at the wrist, and the solid object: mesh boolean, or where one of "
        f"them is no manifold solid voxels of {VOXEL_PITCH_M * 1e3:g} mm; {_HELD}, on at most {VOLUME_FRAMES}",
        True,
    ),
    "volume_exact": Metric("%", "intersection volumes that came from mesh booleans"),
    "hands_depth": Metric(
        "mm",
        f"deepest vertex of a hand inside another hand, closed at the wrist, mean {_ON_FRAMES}; clips of several hands",
        True,
    ),
    "contact_iou": Metric(
        "%",
        f"intersection over union of the object's samples that the hand meets along their normal within {_TOUCH} "
        f"(TOCH's C-IoU), over samples and frames together, {_ON_FRAMES}",
        True,
    ),
    "contact_f1": Metric(
        "%", f"F1 of the object's samples within {_TOUCH} of the hand in any direction, against the true hand's"
    ),
    "contact_ratio": Metric("%", f"frames with a hand vertex inside the object or within {_NEAR}, {_ON_FRAMES}"),
    "contact_ratio_error": Metric("%", "frames in which contact_ratio's verdict is not the true hand's"),
    "acceleration_error": Metric("m/s2", "mean length of the joints' difference of accelerations", True),
    "acceleration_error_root": Metric("m/s2", "the same relative to the wrist"),
    "acceleration_error_frame": Metric("mm/frame2", "acceleration_error at the clip's own frame rate"),
    "jitter": Metric("m/s3", "mean jerk of the joints themselves, by third differences"),
    "hand_object_motion": Metric(
        "mm2",
        "hand-object motion consistency: mean square of a frame's slip over the object, of the vertices that are "
        f"within {_NEAR} of it in truth in both frames (GeneOH's own formula is not public)",
    ),
    "arctic_cdev": Metric(
        "mm",
        f"ARCTIC's contact deviation: distance between each hand vertex and object vertex that are within {_PAIR} in "
        "truth, mean over a frame's pairs, then over frames",
    ),
    "arctic_mdev": Metric(
        "mm",
        "ARCTIC's motion deviation: how far a hand vertex moves in a frame beyond the object's vertex that it holds in "
        f"truth ({_PAIR}, {WINDOW} frames or more, no sliding: pairs of the vertices met {_PAIR} apart on the mean)",
    ),
    "arctic_acc": Metric("m/s2", "ARCTIC's ACC: acceleration_error of the skin's vertices relative to the wrist"),
    "mrrpe_rl": Metric("mm", "ARCTIC's MRRPE: error of the way from right to left wrist, with both hands only"),
    "mrrpe_ro": Metric("mm", "ARCTIC's MRRPE: error of the way from right wrist to the mean vertex of the first part"),
    "aae": Metric("deg", "ARCTIC's articulation error; only of methods that estimate a hinged object's motion"),
    "success_rate": Metric(
        "%",
        f"ARCTIC's: object vertices within {SUCCESS * 100:g} % of its diameter of the truth, first parts aligned; only "
        "of methods that estimate the object's motion",
    ),
    **{
        f"inside_{level}": Metric(
            "%", f"coordinates of joint errors inside the {level} % interval of the method's sigma", level in (50, 90)
        )
        for level in LEVELS
    },
    "seconds": Metric(
        "s",
        "wall time for a clip, beside another answer made or scored; a method's first clip of a length compiles",
    ),
}
