"""The metrics of the benchmark by name; each is defined in its module, below the function that computes it."""

from toch_jax.metrics import arctic, contact, joints, motion, object_pose
from toch_jax.metrics.metric import Metric

METRICS: dict[str, Metric] = {
    **joints.METRICS,
    **contact.METRICS,
    **motion.METRICS,
    **object_pose.METRICS,
    **arctic.METRICS,
    **joints.CALIBRATION,
    "seconds": Metric(
        "s",
        "wall time for a clip, beside another answer made or scored; a method's first clip of a length compiles",
    ),
}
"""The order is that of all tables."""
