"""The poses of an object's parts, one mesh each: a hinged object, or one of many parts.

- A folder with, for each part, a file or folder of the name of its mesh without ending: lid.obj has lid.npy or lid/.
- .npz or JSON with a key for each part.
- An array (P, T, 4, 4), parts in the alphabetical order of their names.

Each part's poses are in any of the forms of `object_poses`, from the frame of its mesh to that of the hands; one pose
alone is that of a part at rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.trackers.frame_numbers import frame_grid
from toch_jax.trackers.object_poses import ObjectPoses, poses_in, read_object_poses
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import lengths, open_source


def read_part_poses(path: Path, names: Sequence[str], reading: Reading) -> ObjectPoses:
    """The poses (P, T, 4, 4) of the parts `names`. Raises InputError."""
    source = open_source(path)
    if source.is_folder:
        files = {child.stem if child.is_file() else child.name: child for child in source.content.values()}
        _check_names(path, files, names)
        return _together(path, names, [read_object_poses(files[name], reading) for name in names])
    if isinstance(source.content, dict):
        _check_names(path, source.content, names)
        return _together(
            path, names, [ObjectPoses(poses_in(path, source.content[name], reading), None) for name in names]
        )
    shape = lengths(source.content)
    if shape[:1] != (len(names),) or shape[2:] != (4, 4):
        expected = f"poses of the parts {', '.join(names)}: (P, T, 4, 4), a key for each, or a folder"
        raise bad_input(path, "object poses", expected, f"{type(source.content).__name__} {shape}")
    found = _together(path, names, [ObjectPoses(poses_in(path, each, reading), None) for each in source.content])
    return replace(found, said=(*found.said, f"parts in the order {', '.join(names)}"))


def _check_names(path: Path, found: Mapping[str, object], names: Sequence[str]) -> None:
    missing = [name for name in names if name not in found]
    if missing:
        raise bad_input(path, "object poses", f"poses of the part {missing[0]}", ", ".join(map(str, found)) or "none")


def _together(path: Path, names: Sequence[str], parts: Sequence[ObjectPoses]) -> ObjectPoses:
    """The parts' poses over the same frames, matched by number where files number their frames."""
    moving = [each for each in parts if len(each.matrices) > 1]
    if not moving:
        return ObjectPoses(np.stack([each.matrices for each in parts]), None)
    numbers = None
    if all(each.numbers is not None for each in moving):
        given = np.unique(np.concatenate([each.numbers for each in moving if each.numbers is not None]))
        numbers = frame_grid(path, given.tolist())[0]
    counts = sorted({len(each.matrices) for each in moving}) if numbers is None else [len(numbers)]
    if len(counts) > 1:
        lengths_of = ", ".join(f"{name} {len(each.matrices)}" for name, each in zip(names, parts, strict=True))
        raise bad_input(path, "object poses", "as many frames of each part", lengths_of)
    found = np.full((len(parts), counts[0], 4, 4), np.nan)
    for part, each in enumerate(parts):
        if numbers is None or each.numbers is None or len(each.matrices) == 1:
            found[part] = each.matrices
        else:
            found[part, np.searchsorted(numbers, each.numbers)] = each.matrices
    return ObjectPoses(found, numbers)
