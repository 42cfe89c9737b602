"""What the fit's settings do: the example repaired with one of them changed at a time, and what changes in the result.

Run: python 08_tune_the_fit.py. All settings and their units are in docs/settings.md and in `toch_jax.FitSettings`.
"""

from importlib.resources import files

import jax

import toch_jax
from toch_jax.metrics.clip import measure, sequence_parts
from toch_jax.sequence.derived import pose_hands
from toch_jax.view.scene import rows_of

sequence = toch_jax.load_sequence(files("toch_jax.example") / "tracked.npz")
parts, truth = sequence_parts(sequence), rows_of(sequence)["truth"]
network = toch_jax.load_denoiser()  # once for all

usual = toch_jax.FitSettings()


def times(factor: float, levels: object) -> object:
    """All of these standard deviations times a factor."""
    return jax.tree.map(lambda level: factor * level, levels)


variants = {
    "as shipped": usual,
    "motion less smooth": usual.replace(
        acceleration=times(5, usual.acceleration), acceleration_per_speed=times(5, usual.acceleration_per_speed)
    ),
    "motion smoother": usual.replace(
        acceleration=times(0.2, usual.acceleration), acceleration_per_speed=times(0.2, usual.acceleration_per_speed)
    ),
    "object softer": usual.replace(depth=10 * usual.depth, last_depths=(0.01,) * 4),
    "contact field ignored": usual.replace(field_effective_samples=0.0),
    "network ignored": usual.replace(field_effective_samples=0.0, joint_effective_samples=0.0),
}
print(f"{'':25} {'joint error':>12} {'acceleration':>13} {'depth, mean':>12} {'worst':>9}")
for name, settings in variants.items():
    clean = toch_jax.refine(sequence, network, settings=settings)
    found = measure(sequence, pose_hands(clean), truth, parts)
    print(
        f"{name:25} {found['mpjpe']:9.2f} mm {found['acceleration']:8.2f} m/s2"
        f" {found['penetration_depth_mean']:9.2f} mm {found['penetration_depth_max']:6.2f} mm"
    )
true = measure(sequence, truth, truth, parts)
print(f"Of the true hand, acceleration is {true['acceleration']:.2f} m/s2, depth", end=" ")
print(f"{true['penetration_depth_mean']:.2f} mm: skin gives way.")
