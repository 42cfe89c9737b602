"""What ours aims at, as shares of what others reach; a table says where it is missed."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Aim:
    """A number that should lie within bounds."""

    least: float = 0.0
    most: float = float("inf")

    def is_met(self, value: float) -> bool:
        return self.least <= value <= self.most

    def __str__(self) -> str:
        if self.least and self.most < float("inf"):
            return f"{self.least:g} to {self.most:g}"
        return f"at least {self.least:g}" if self.least else f"at most {self.most:g}"


@dataclass(frozen=True)
class Aims:
    """Of one noise: our error over the best filter's, TOCH's and the input's, on the mean and on the worst clip."""

    best_filter: Aim = field(default_factory=Aim)
    toch: Aim = field(default_factory=Aim)
    input: Aim = field(default_factory=Aim)
    worst_clip: Aim = field(default_factory=Aim)


_JITTER = Aims(Aim(most=0.75), Aim(most=0.6), Aim(most=0.4))
_POSE = Aims(Aim(most=0.8), Aim(most=0.5), Aim(most=1.0), Aim(most=1.05))
_SLOW = Aims(Aim(most=0.7), Aim(most=0.7), Aim(most=0.7))
ERROR_AIMS = {
    "T(0.01)": _JITTER,
    "T(0.02)": _JITTER,
    "B(0.01,0.3)": _JITTER,
    "R(0.3)": _POSE,
    "R(0.5)": _POSE,
    "bias(0.01)": _SLOW,
    "drift(0.01)": _SLOW,
    "beta(0.01,0.3,0.05)": _SLOW,
    "missing(0.2,0.01)": Aims(Aim(most=0.7)),
}
"""By noise."""
CONTACT_IOU = Aim(least=2.0)
"""Over TOCH's."""
VOLUME = Aim(0.8, 1.2)
"""Over the truth's."""
ACCELERATION = Aim(most=1.0)
"""Over the best filter's."""
INSIDE_90 = Aim(85.0, 95.0)
"""Percent of errors inside the 90 % intervals."""


def aims_of(noise: str) -> Aims:
    return ERROR_AIMS.get(noise, Aims())
