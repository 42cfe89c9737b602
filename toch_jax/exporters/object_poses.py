"""The object's poses, object to world (or to the frame of reference that the clip is in): matrices of 4 x 4, metres.

`object-poses`: .npy with (T, 4, 4), or (P, T, 4, 4) of an object of P parts; .npz with `object` (T, 4, 4), or
`object0`, `object1`, ... of several parts, and fps. `foundationpose`: a folder of 000000.txt, 000001.txt, ..., four
lines of four numbers, as FoundationPose writes it (NVlabs/FoundationPose, run_demo.py, ob_in_cam). `toch convert
--object-poses` reads all of a rigid object.
"""

from pathlib import Path

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.base.files import atomic, atomic_folder, write_arrays
from toch_jax.exporters.keypoints import object_matrices
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence


def write_object_poses(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the poses as arrays."""
    poses = np.stack([object_matrices(sequence, part) for part in range(len(sequence.object_motion.translation))])
    if path.suffix == ".npz":
        names = ["object"] if len(poses) == 1 else [f"object{index}" for index in range(len(poses))]
        write_arrays(path, {**dict(zip(names, poses, strict=True)), "fps": np.array(sequence.fps)})
    else:
        with atomic(path) as part, part.open("wb") as file:
            np.save(file, poses[0] if len(poses) == 1 else poses, allow_pickle=False)
    return ()


def write_foundationpose(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the poses as text files. Raises InputError for objects of several parts."""
    if len(sequence.object_motion.translation) > 1:
        found = f"{len(sequence.object_motion.translation)} parts (--to object-poses)"
        raise bad_input(sequence.source, "object", "a rigid one", found)
    with atomic_folder(path) as folder:
        for frame, matrix in enumerate(object_matrices(sequence)):
            np.savetxt(folder / f"{frame:06d}.txt", matrix)
    return ()
