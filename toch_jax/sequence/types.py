"""The data of a clip: tracked hands, an object and its motion."""

from typing import Any

import jax
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.arrays import short_repr, take
from toch_jax.hand.model import HandParams, Side
from toch_jax.object.model import ObjectMotion
from toch_jax.sequence.camera import Camera


class Hands(struct.PyTreeNode):
    """H hands over T frames, given by one or more of parameters, joints and vertices. Metres, radians, world frame.

    If there are several, the parameters are used, else the joints.
    """

    params: HandParams | None
    """global_orient (H,T,3), pose (H,T,45), betas (H,T,S), transl (H,T,3)."""
    joints: Float[Array, "H T 21 3"] | None
    """OpenPose order: wrist, then thumb, index, middle, ring, pinky from root to tip (`hand/conventions.py`).
    NaN where the tracker missed a single joint (`sequence/hand_faults.py`)."""
    vertices: Float[Array, "H T K 3"] | None
    """Points of the skin."""
    vertex_order: str | None = struct.field(pytree_node=False)
    """Order of the vertices: "mano", "open" or "unordered"."""

    def __repr__(self) -> str:
        return short_repr(self)


class Sequence(struct.PyTreeNode):
    """One clip. The file format is described in sequence/file.py."""

    fps: float = struct.field(pytree_node=False)
    hand_side: tuple[Side, ...] = struct.field(pytree_node=False)
    hand_model: str | None = struct.field(pytree_node=False)
    """Hand model of the parameters: "open", "mano" or a path; None without parameters."""
    hands: Hands
    hand_valid: Bool[Array, "H T"]
    """False where the tracker lost the hand; the data there are placeholders."""
    object_vertices: Float[Array, "Vo 3"]
    object_faces: Int[Array, "Fo 3"]
    object_vertex_part: Int[Array, "Vo"]
    object_motion: ObjectMotion
    truth: Hands | None
    """Ground truth, for evaluation only."""
    hand_joint_sigma: Float[Array, "H T 21"] | None
    """Standard deviation of each coordinate of a joint (OpenPose order), metres; estimated by `refine`."""
    object_valid: Bool[Array, "P T"] | None = None
    """False where the tracker lost the part; the pose there is interpolated. None: nowhere."""
    object_pose_sigma: Float[Array, "P T 6"] | None = None
    """Standard deviation of each coordinate of the rotation vector in the world (rad), then of the translation (m);
    estimated by `refine`, 0 for poses that it did not change, None if it changed none."""
    camera: Camera | None = None
    source: str = struct.field(pytree_node=False, default="sequence")
    """The file or call that the sequence came from, for error messages."""
    notes: tuple[str, ...] = struct.field(pytree_node=False, default=())
    """Problems found in the data and how they were treated, one line each; not written to files."""
    hand_axis: bool = struct.field(pytree_node=False, default=True)
    """Whether `arrays_from_sequence` gives the hand arrays the axis H; false if the input arrays had none."""
    part_axis: bool = struct.field(pytree_node=False, default=True)
    """Whether `arrays_from_sequence` gives the object's motion the axis P; false if the input arrays had none."""

    def __repr__(self) -> str:
        names = ("fps", "hand_side", "hands", "object_vertices", "object_faces", "object_motion", "truth", "camera")
        observed = self.hand_valid
        has_values = isinstance(observed, np.ndarray | jax.Array) and not isinstance(observed, jax.core.Tracer)
        lost = (~np.asarray(observed)).sum(axis=1).tolist() if has_values else None
        return short_repr(self, *names, "hand_joint_sigma", lost_frames=lost)

    def numpy(self) -> dict[str, Any]:
        """The arrays of this sequence by name; see `arrays_from_sequence`."""
        # imported here because that module imports this one
        from toch_jax.sequence.arrays import arrays_from_sequence

        return arrays_from_sequence(self)

    @property
    def n_frames(self) -> int:
        return self.object_motion.translation.shape[1]

    def frames(self, start: int, stop: int) -> "Sequence":
        """The frames from `start` up to, not including, `stop`."""
        names = (
            *("hands", "hand_valid", "truth", "hand_joint_sigma"),
            *("object_motion", "object_valid", "object_pose_sigma"),
        )
        timed = {name: getattr(self, name) for name in names}
        camera = None if self.camera is None else self.camera.frames(start, stop)
        return self.replace(**take(timed, np.s_[:, start:stop]), camera=camera)

    @property
    def object_observed(self) -> Bool[np.ndarray, "P T"]:
        """`object_valid`, true in all frames where that is None."""
        shape = self.object_motion.translation.shape[:2]
        return np.ones(shape, bool) if self.object_valid is None else np.asarray(self.object_valid)
