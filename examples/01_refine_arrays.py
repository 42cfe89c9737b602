"""Numpy arrays in, repaired numpy arrays out, without any files.

Run it anywhere: python 01_refine_arrays.py (a minute or two the first time, while JAX compiles).
"""

from importlib.resources import files

import numpy as np

import toch_jax

# Arrays as a tracker gives them: here those of the package's example, whose hand shakes by 20 mm along each axis.
clip = toch_jax.load_sequence(files("toch_jax.example") / "tracked.npz").numpy()
sequence = toch_jax.sequence_from_arrays(
    fps=30,
    hand_side="left",  # one hand: its arrays have no axis of hands, which the file's have
    hand_model="open",  # whose parameters these are: the package's own hand
    hand_global_orient=clip["hand_global_orient"][0],  # (T, 3) axis-angle
    hand_pose=clip["hand_pose"][0],  # (T, 45)
    hand_transl=clip["hand_transl"][0],  # (T, 3) metres
    hand_betas=clip["hand_betas"][0],  # (10,)
    object_vertices=clip["object_vertices"],  # metres, in the object's own frame
    object_faces=clip["object_faces"],
    object_rotation=clip["object_rotation"][0],  # (T, 3): world = R v + t
    object_translation=clip["object_translation"][0],  # (T, 3)
)
clean = toch_jax.refine(sequence, progress=True).numpy()

print("\nThe repaired arrays of the hand:")
for name, value in clean.items():
    if name.startswith("hand_") and isinstance(value, np.ndarray):
        print(f"  {name:20} {value.dtype!s:8} {value.shape}")


def acceleration(path: np.ndarray) -> float:
    """Mean over the clip, m/s2."""
    return float(np.linalg.norm(np.diff(path, n=2, axis=0), axis=-1).mean() * 30**2)


# The example has its ground truth, which `refine` was not given.
given, repaired, true = clip["hand_transl"][0], clean["hand_transl"], clip["truth_transl"][0]
before, after = (1e3 * np.linalg.norm(path - true, axis=-1).mean() for path in (given, repaired))
print(f"Error of the hand's place:    {before:5.1f} mm as tracked, {after:.1f} mm repaired.")
before, after, best = map(acceleration, (given, repaired, true))
print(f"Acceleration of the hand:     {before:5.1f} m/s2 as tracked, {after:.1f} repaired, {best:.1f} in truth.")
sigma = 1e3 * clean["hand_joint_sigma"].mean()
print(f"Standard deviation of joints: {sigma:5.1f} mm along each axis, on the mean.")
