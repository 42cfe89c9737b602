"""Are the errors as large as `hand_joint_sigma` says? The standard deviations against the true errors of the example.

Run: python 04_uncertainty.py; it writes uncertainty.png.
"""

from importlib.resources import files

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

import toch_jax

sequence = toch_jax.load_sequence(files("toch_jax.example") / "tracked.npz")
clean = toch_jax.refine(sequence, progress=True)
repaired, true = toch_jax.hand_meshes(clean), toch_jax.hand_meshes(sequence, truth=True)

sigma = clean.numpy()["hand_joint_sigma"][0]  # (T, 21): of each coordinate of a joint, metres
error = (repaired.joints - true.joints)[0]  # (T, 21, 3), the same order of joints
ratio = np.abs(error) / sigma[..., None]
levels = np.arange(5, 100, 5)
inside = [100 * (ratio <= norm.ppf(0.5 + level / 200)).mean() for level in levels]

print(f"\nError of a coordinate (root mean square): {1e3 * np.sqrt((error**2).mean()):.1f} mm")
print(f"What sigma says it is:                    {1e3 * np.sqrt((sigma**2).mean()):.1f} mm")
print(f"Errors within the 90 % interval:          {inside[list(levels).index(90)]:.0f} % (90 % would be exact)")
print("One clip says little, as its errors come in runs: docs/results.md has the figures of many clips.")

figure = Figure(figsize=(9, 3.6), layout="constrained")
left, right = figure.subplots(1, 2)
left.plot(levels, levels, color="0.7", label="exact")
left.plot(levels, inside, marker=".", label="this clip")
left.set(xlabel="interval, %", ylabel="errors inside, %", title="Calibration")
left.legend()
time = np.arange(sequence.n_frames) / sequence.fps
mm = 1e3 * np.sqrt((sigma**2).mean(axis=1)), 1e3 * np.sqrt((error**2).mean(axis=(1, 2)))
right.plot(time, mm[0], label="sigma")
right.plot(time, mm[1], label="error")
right.set(xlabel="s", ylabel="mm per coordinate", title="Over time, all joints (RMS)", ylim=0)
right.legend()
figure.savefig("uncertainty.png", dpi=120)
print("Written: uncertainty.png.")
