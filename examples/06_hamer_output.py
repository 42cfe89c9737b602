"""From the arrays that HaMeR (or WiLoR) gives for one hand, and 4 x 4 object poses, to a repaired clip.

Run: python 06_hamer_output.py. Its arrays are made from the example's ground truth; put yours in their place.
"""

from importlib.resources import files

import numpy as np

import toch_jax

# Stands for HaMeR and FoundationPose: the true left hand half a metre before the camera, and noise, most in its depth.
clip = toch_jax.load_sequence(files("toch_jax.example") / "tracked.npz")
true_joints = toch_jax.hand_meshes(clip, truth=True).joints[0]
moved = np.array([0, 0, 0.5]) - true_joints.mean(axis=(0, 1))  # the camera looks along +z
true_joints = true_joints + moved
n_frames, rng = len(true_joints), np.random.default_rng(0)
centre = true_joints.mean(axis=1) + rng.normal(size=(n_frames, 3)) * [0.004, 0.004, 0.02]
shape = true_joints - true_joints.mean(axis=1, keepdims=True) + 0.003 * rng.normal(size=true_joints.shape)
pred_keypoints_3d = shape * [-1, 1, 1]  # (T, 21, 3) about the hand; of a left hand, in a mirrored image
pred_cam_t_full = centre * [1, 1, 5]  # (T, 3)
focal, hamer_focal = 1000.0, 5000.0  # pixels: the camera's, and what HaMeR assumes, hence 5 times the depth
detected = rng.random(n_frames) > 0.1  # (T,)
object_in_camera = np.tile(np.eye(4), (n_frames, 1, 1))  # (T, 4, 4)
object_in_camera[:, :3, :3] = clip.object_motion.rotation[0]
object_in_camera[:, :3, 3] = clip.object_motion.translation[0] + moved

# From here on as with your own arrays; docs/own_data.md explains each line.
keypoints = pred_keypoints_3d * [-1, 1, 1]  # left hands only
camera = pred_cam_t_full * [1, 1, focal / hamer_focal]
joints = np.where(detected[:, None, None], keypoints + camera[:, None], np.nan)  # NaN where no hand was found
sequence = toch_jax.sequence_from_arrays(
    fps=30,
    hand_side="left",
    hand_joints=joints,
    object_vertices=clip.object_vertices,
    object_faces=clip.object_faces,
    object_rotation=object_in_camera[:, :3, :3],
    object_translation=object_in_camera[:, :3, 3],
)
clean = toch_jax.refine(sequence, progress=True)
toch_jax.save_sequence("clean.npz", clean)

repaired = clean.numpy()["hand_joints"]
before, after = (1e3 * np.linalg.norm(each - true_joints, axis=-1).mean(axis=-1) for each in (joints, repaired))
print(f"\nJoint error in {detected.sum()} frames: {before[detected].mean():.1f} mm, repaired", end=" ")
print(f"{after[detected].mean():.1f} mm.")
print(f"In {(~detected).sum()} frames without a detection, which are filled in: {after[~detected].mean():.1f} mm.")
for note in clean.notes:
    print("note:", note)
print("Written: clean.npz.")
