"""Filters of the object's poses beside the hand's: the baselines where the object was tracked too."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solveh_banded
from scipy.signal import butter, sosfilt, sosfiltfilt

from toch_jax.base.arrays import put
from toch_jax.base.rotations import nearest_rotation
from toch_jax.benchmark.methods.filters import (
    Filter,
    Frame,
    Kalman,
    OneEuro,
    SavitzkyGolay,
    Setting,
    Trajectory,
)
from toch_jax.benchmark.methods.method import Prediction, Repair, predict
from toch_jax.metrics.object_pose import mpjpe_in_object_mm
from toch_jax.object.model import ObjectMotion, part_middles
from toch_jax.sequence.derived import PosedHand
from toch_jax.sequence.types import Sequence
from toch_jax.track.part_frame import nearest_part


@dataclass(frozen=True)
class RandomWalk:
    """Random-walk Kalman smoother (Rauch-Tung-Striebel): position += noise.

    Its mean is the x that minimises |x - points|^2 + |first differences of x|^2 / ratio^2.
    """

    ratio: float
    """Standard deviation of the walk's step in a frame, divided by that of the measurement."""

    def __call__(self, points: Trajectory, fps: float) -> Trajectory:
        n_frames = len(points)
        banded = np.full((2, n_frames), -1 / self.ratio**2)
        banded[1] = 1 + 2 / self.ratio**2
        banded[1, [0, -1]] = 1 + 1 / self.ratio**2
        return solveh_banded(banded, points.reshape(n_frames, -1)).reshape(points.shape)


@dataclass(frozen=True)
class Butterworth:
    """Butterworth's low-pass filter of order 2, which starts from rest at the first frame."""

    cutoff: float
    """Cycles per frame."""
    both_ways: bool
    """Whether it runs forward and then backward, so that nothing lags; else forward only."""

    def __call__(self, points: Trajectory, fps: float) -> Trajectory:
        sections = butter(2, self.cutoff, fs=1.0, output="sos")
        if self.both_ways:
            # scipy's own length of padding, if the clip is long enough
            pad = min(9, len(points) - 1)
            return sosfiltfilt(sections, points, axis=0, padlen=pad)
        return points[0] + sosfilt(sections, points - points[0], axis=0)


@dataclass(frozen=True)
class Settings:
    """How the hand's points and the object's positions and rotations are filtered; as a filter, it is the hand's."""

    hand: Setting
    position: Setting
    rotation: Setting

    def __call__(self, points: Trajectory, fps: float) -> Trajectory:
        return self.hand(points, fps)


@dataclass(frozen=True)
class ObjectFilter(Filter):
    """A filter of joints, skin and object poses; its settings are `Settings`.

    The object is filtered first, and the "object" frame is that of the filtered one. Lost frames are bridged before.
    """

    def load(self) -> Repair:
        return lambda clip, object: Prediction(
            self.filter_hands(clip, predict(clip).hands), self._filtered(clip).object_motion
        )

    def filter_hands(self, sequence: Sequence, hands: list[PosedHand]) -> list[PosedHand]:
        return super().filter_hands(self._filtered(sequence), hands)

    def errors_mm(
        self, noisy: Sequence, clean: Sequence, hands: list[PosedHand], truth: list[PosedHand]
    ) -> list[float]:
        """The errors by which the best setting is chosen: those of each filtered hand as seen from the object."""
        motion = self._filtered(noisy).object_motion
        errors = []
        for hand, true in zip(self.filter_hands(noisy, hands), truth, strict=True):
            joints, true_joints = np.asarray(hand.joints), np.asarray(true.joints)
            part = nearest_part(clean, put(true_joints), true.observed)
            errors.append(mpjpe_in_object_mm(joints, true_joints, motion, clean.object_motion, part))
        return errors

    def _filtered(self, sequence: Sequence) -> Sequence:
        (setting,) = self.settings
        assert isinstance(setting, Settings), "settings of an ObjectFilter"
        return with_filtered_object(sequence, setting.position, setting.rotation)


def with_filtered_object(sequence: Sequence, position: Setting, rotation: Setting) -> Sequence:
    """The sequence with filtered poses of all object parts, none of which counts as lost any more.

    A sequence has poses in lost frames too, interpolated. The position is that of the part's middle. Rotations are
    filtered as matrices, each column as a point at one metre, and brought back to the nearest rotation (singular value
    decomposition): for positive weights the mean of rotations of Markley et al. 2007, continuous without a choice of
    signs. Clips of fewer than three frames are returned unchanged.
    """
    motion = sequence.object_motion
    if motion.translation.shape[1] < 3:
        return sequence
    middles = part_middles(np.asarray(sequence.object_vertices), np.asarray(sequence.object_vertex_part))
    rotations, translations = [], []
    for number, middle in enumerate(middles):
        turn = np.asarray(motion.rotation[number], np.float64)
        place = turn @ middle + np.asarray(motion.translation[number], np.float64)
        turned = nearest_rotation(rotation(np.swapaxes(turn, 1, 2), sequence.fps).swapaxes(1, 2))
        rotations.append(turned)
        translations.append(position(place[:, None], sequence.fps)[:, 0] - turned @ middle)
    return sequence.replace(
        object_motion=ObjectMotion(put(np.stack(rotations), np.float32), put(np.stack(translations), np.float32)),
        object_valid=None,
    )


def _alike(setting: Setting) -> Settings:
    return Settings(setting, setting, setting)


V2D = RandomWalk(0.005 / 0.02), RandomWalk(0.01 / 0.05)
"""Position and rotation as NVIDIA's Video-to-Data smooths FoundationPose's poses (v2d_foundation_pose/lib/
run_ekf_smoothing.py): random walks of 5 mm and 0.01 rad a frame, measured with 20 mm and 0.05 rad. There the position
along the camera's axis has a larger error, here there is no camera."""
PUBLISHED: dict[str, Settings] = {
    "rts": Settings(V2D[0], *V2D),
    # the defaults of the authors' program (casiez/OneEuroFilter)
    "oneeuro": _alike(OneEuro(1.0, 0.0)),
    # Baidu AIHC's TrajectorySmooth
    "savgol": _alike(SavitzkyGolay(5)),
    # of positions in dexmv-sim (examples/visualize_retargeting.py: 5 of 100 Hz); rotations there have 1 of 500 and lag
    "butterworth": _alike(Butterworth(5 / 100, both_ways=False)),
    # the same without the lag
    "butterworth2": _alike(Butterworth(5 / 100, both_ways=True)),
}
"""Filters with constants as programs for video have them, for hand and object."""
RATIOS = (0.03, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
"""Settings of the tuned filter, for hand and object each."""
OBJECT_ALONE = Kalman(1.0)
"""Filter of an object before another method takes it as exact: of 0.1 to 2 the best on MyoDM's validation clips under
object(0.005,0.05), where ADD falls from 8.3 to 5.2 mm. V2D's raises it to 36: those objects move too fast for it."""
_FRAMES: tuple[Frame, ...] = ("world", "object")
OBJECT_FILTERS = (
    *(
        ObjectFilter((setting,), "world", name=f"filter:{kind}:both", label=f"{kind}:both")
        for kind, setting in PUBLISHED.items()
    ),
    *(
        ObjectFilter(
            tuple(Settings(Kalman(hand), Kalman(object), Kalman(object)) for hand in RATIOS for object in RATIOS),
            frame,
            name=f"filter:kalman:both:{frame}",
            label=f"kalman:both:{frame}",
        )
        for frame in _FRAMES
    ),
)
"""Filters of hand and object: those of programs for video, and the best of the other filters, tuned for each noise."""
