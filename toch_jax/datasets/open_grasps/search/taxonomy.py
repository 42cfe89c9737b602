"""Kinds of grasp for open_grasps_large, after the GRASP taxonomy (Feix et al. 2016, IEEE Transactions on Human-Machine
Systems 46(1)): those of its 33 types in which the thumb opposes fingers or palm, under their names there.

Left out are the types in which something is held by the side of a finger (lateral, stick, writing tripod, adduction and
their like) and those without the thumb. The joint angles are ours, chosen by hand.
"""

import numpy as np

from toch_jax.datasets.open_grasps.search.starts import Kind

_ABDUCTED = (-5, 32, 5, 10), (15, 36, 30, 35)
"""The thumb (open, closed) across the palm; of grasps with the palm."""
_PAD = (-5, 32, 5, 5), (14, 38, 20, 20)
"""The same of grasps with the pads."""
_ADDUCTED = (-5, 12, 5, 5), (15, 15, 20, 20)
"""The thumb beside the index finger."""
_ALL, _FOUR, _THREE, _TWO = (1, 1, 1, 1, 1), (1, 1, 1, 1, 0), (1, 1, 1, 0, 0), (1, 1, 0, 0, 0)

TAXONOMY = {
    "large diameter": Kind((15, 25, 15), (50, 55, 35), *_ABDUCTED, _ALL, 1.0, 0.025, 1.0),
    "small diameter": Kind((35, 50, 30), (75, 90, 60), *_ABDUCTED, _ALL, 1.0, 0.02, 1.0),
    "medium wrap": Kind((25, 35, 20), (65, 80, 50), *_ABDUCTED, _ALL, 1.0, 0.02, 1.0),
    "adducted thumb": Kind((30, 45, 25), (70, 85, 55), *_ADDUCTED, _ALL, 0.8, 0.02, 1.0),
    "light tool": Kind((35, 55, 35), (80, 90, 60), *_ADDUCTED, _ALL, 0.6, 0.015, 1.0),
    "power disk": Kind((10, 35, 20), (40, 75, 50), *_ABDUCTED, _ALL, 0.7, 0.02, 1.0),
    "power sphere": Kind((10, 30, 20), (45, 65, 45), *_ABDUCTED, _ALL, 0.8, 0.02, 1.0),
    "index finger extension": Kind((30, 45, 25), (70, 85, 55), *_ABDUCTED, (1, 0, 1, 1, 1), 0.6, 0.015, 0.3),
    "extension type": Kind((40, 10, 5), (80, 20, 10), *_PAD, _ALL, 0.0, 0.0, 1.0),
    "distal type": Kind((20, 50, 35), (50, 80, 60), *_PAD, _ALL, 0.0, 0.0, 1.0),
    "ring": Kind((20, 35, 20), (60, 65, 40), *_ABDUCTED, _TWO, 0.2, 0.01, 1.1),
    "sphere 4 finger": Kind((15, 25, 15), (55, 60, 35), *_ABDUCTED, _FOUR, 0.3, 0.01, 1.1),
    "sphere 3 finger": Kind((15, 25, 15), (55, 60, 35), *_ABDUCTED, _THREE, 0.3, 0.01, 1.2),
    "prismatic 4 finger": Kind((30, 20, 10), (70, 35, 20), *_PAD, _ALL, 0.0, 0.0, 1.0),
    "prismatic 3 finger": Kind((20, 20, 10), (60, 45, 20), *_PAD, _FOUR, 0.0, 0.0, 1.2),
    "prismatic 2 finger": Kind((30, 20, 10), (70, 35, 20), *_PAD, _THREE, 0.0, 0.0, 0.7),
    "palmar pinch": Kind((25, 20, 10), (65, 40, 20), *_PAD, _TWO, 0.0, 0.0, 0.6),
    "tip pinch": Kind((25, 40, 25), (55, 70, 50), *_PAD, _TWO, 0.0, 0.0, 1.2),
    "inferior pincer": Kind((35, 25, 5), (75, 45, 5), *_PAD, _TWO, 0.0, 0.0, 1.1),
    "precision disk": Kind((5, 20, 15), (35, 50, 35), *_PAD, _ALL, 0.0, 0.0, 1.0),
    "precision sphere": Kind((15, 20, 10), (60, 50, 25), *_PAD, _ALL, 0.15, 0.006, 1.0),
    "tripod": Kind((20, 25, 12), (55, 55, 30), *_PAD, _THREE, 0.0, 0.0, 1.35),
    "quadpod": Kind((20, 25, 12), (55, 55, 30), *_PAD, _FOUR, 0.0, 0.0, 1.3),
    "parallel extension": Kind((45, 5, 0), (85, 10, 5), *_ADDUCTED, _ALL, 0.0, 0.0, 1.0),
}
AT_ONCE = 5
"""Types that are searched for one object: as many as open_grasps has kinds, so that they share compiled code."""


def draw_types(rng: np.random.Generator) -> dict[str, Kind]:
    """AT_ONCE random types."""
    names = rng.choice(sorted(TAXONOMY), AT_ONCE, replace=False)
    return {str(name): TAXONOMY[str(name)] for name in names}
