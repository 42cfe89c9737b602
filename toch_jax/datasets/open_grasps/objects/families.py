"""Families of rigid objects with random proportions, for open_grasps_large: each number gives another object.

Sizes are drawn with uniform logarithms over what hands hold, push and carry: 1 to 40 cm. As those of rigid.py, objects
are watertight and of one body, with walls of at least 4 mm. None is modelled on an object of another data set.
"""

import zlib
from collections.abc import Callable

import numpy as np
from trimesh import Trimesh

from toch_jax.datasets.open_grasps.objects import built_families, round_families
from toch_jax.datasets.open_grasps.objects.rigid import MAX_FACES

_SHAPES: tuple[Callable[[np.random.Generator], Trimesh], ...] = (
    round_families.ball,
    round_families.egg,
    round_families.prism,
    round_families.stick,
    round_families.frustum,
    round_families.plate,
    round_families.vessel,
    round_families.mug,
    round_families.trophy,
    round_families.goblet,
    round_families.bottle,
    round_families.turned,
    round_families.knob,
    round_families.ring,
    round_families.hoop,
    round_families.wheel,
    round_families.bulb,
    round_families.dumbbell,
    round_families.horn,
    round_families.half,
    round_families.twins,
    built_families.block,
    built_families.slab,
    built_families.trinket,
    built_families.pan,
    built_families.spoon,
    built_families.blade,
    built_families.hammer,
    built_families.driver,
    built_families.pliers,
    built_families.pistol,
    built_families.basket,
    built_families.animal,
    built_families.craft,
    built_families.controller,
    built_families.frame,
    built_families.profile,
    built_families.stack,
    built_families.cross,
    built_families.pouch,
    built_families.lens,
)
FAMILIES = {shape.__name__: shape for shape in _SHAPES}


def make_member(family: str, number: int, seed: int = 0) -> Trimesh:
    """The object with this number of a family: watertight, centred on its bounding box; metres, z up."""
    rng = np.random.default_rng([seed, zlib.crc32(family.encode()), number])
    # some proportions do not fit each other: pieces that do not meet, walls that simplification breaks
    while True:
        mesh = FAMILIES[family](rng)
        if len(mesh.faces) > MAX_FACES:
            mesh = mesh.simplify_quadric_decimation(face_count=MAX_FACES)
        if mesh.is_volume and mesh.body_count == 1:
            return mesh.apply_translation(-mesh.bounds.mean(axis=0))
