"""The contact field of a clip, as tracked and as denoised: which points of the object's surface the hand touches.

Run: python 03_contact_field.py; it writes contact.ply, the object and its samples in one frame, for MeshLab or Blender.
"""

from importlib.resources import files

import numpy as np
import trimesh

import toch_jax

NEAR = 0.005  # metres: a sample is in contact where the hand is no farther than this along its normal
sequence = toch_jax.load_sequence(files("toch_jax.example") / "tracked.npz")

(field,) = toch_jax.contact_fields(sequence, progress=True)  # one field for each hand
(true,) = toch_jax.contact_fields(sequence.replace(hands=sequence.truth), denoiser=None)
before = field.mask & (np.abs(field.distance) < NEAR)
after = (field.denoised.probability > 0.5) & (np.abs(field.denoised.distance) < NEAR)
truth = true.mask & (np.abs(true.distance) < NEAR)

n_frames, n_samples = field.mask.shape
print(f"\n{n_samples} samples of the object's surface, {n_frames} frames.")
print("From frame to frame, the samples in contact:")
for name, contact in (("as tracked", before), ("denoised", after), ("ground truth", truth)):
    changed = (contact[1:] != contact[:-1]).sum(axis=1).mean()
    print(f"  {name:13} {contact.sum(axis=1).mean():5.1f} in a frame, of which {changed:5.1f} begin or end in the next")
sigma = field.denoised.distance_sigma[after]
print(f"The denoiser gives its distances a standard deviation of {1e3 * sigma.mean():.1f} mm where it sees contact.")

# The object in its place in the frame with most contact, and a small ball at each sample.
frame = int(after.sum(axis=1).argmax())
rotation = np.asarray(sequence.object_motion.rotation)[0, frame]
corners = np.asarray(sequence.object_vertices) @ rotation.T + np.asarray(sequence.object_motion.translation)[0, frame]
object_mesh = trimesh.Trimesh(corners, np.asarray(sequence.object_faces), process=False)
object_mesh.visual.vertex_colors = (190, 190, 190, 255)
balls = []
for point, touches in zip(field.points[frame], after[frame], strict=True):
    ball = trimesh.creation.icosphere(subdivisions=1, radius=0.0015 if touches else 0.0006).apply_translation(point)
    ball.visual.vertex_colors = (40, 170, 70, 255) if touches else (70, 70, 70, 255)
    balls.append(ball)
trimesh.util.concatenate([object_mesh, *balls]).export("contact.ply")
print(f"Written: contact.ply, frame {frame}: {after[frame].sum()} samples in contact (green), the others grey.")
