"""What is told of a metric beside its number, and on which frames the costly ones are measured."""

from dataclasses import dataclass

CONTACT_FRAMES = 20
"""Maximum number of frames, evenly spread, for depth, contact and field; joints and skin are measured in all.
A limit of compute time, chosen by hand."""
VOLUME_FRAMES = 8
"""Maximum number of those frames, with the true hand in contact, for the volume. A limit of compute time."""
ON_FRAMES = f"on at most {CONTACT_FRAMES} frames, evenly spread"


@dataclass(frozen=True)
class Metric:
    """Unit and meaning of one metric of the benchmark; it stands below the function that computes the metric."""

    unit: str
    meaning: str
    headline: bool = False
    """Whether the short table of results shows it."""
