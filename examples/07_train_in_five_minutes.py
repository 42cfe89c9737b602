"""Train a small denoiser on a few generated grasps, then repair the example with it: how training goes, not a result.

Run: python 07_train_in_five_minutes.py; it needs pip install '.[train]' and writes run/. Broken off, it resumes.
"""

from importlib.resources import files

import toch_jax
from toch_jax.datasets.open_grasps.motion.one_hand import Job, make_clips
from toch_jax.datasets.open_grasps.search.hands import hand_samples
from toch_jax.datasets.prepared import example_to_sequence
from toch_jax.datasets.spec import load_spec
from toch_jax.denoiser.field_net import FieldNetConfig
from toch_jax.metrics.clip import measure, metrics_table
from toch_jax.sequence.derived import pose_hands
from toch_jax.training.batches import BatchConfig
from toch_jax.training.clips import Clips, build_clips
from toch_jax.training.experiment import Experiment, OptimiserConfig
from toch_jax.training.loop import train
from toch_jax.view.scene import rows_of

hand = toch_jax.load_hand("open")
experiment = Experiment(
    name="small",
    denoiser=FieldNetConfig(point_width=32, frame_width=64, dilations=(1, 2, 4)),
    batch=BatchConfig(batch=4, samples=128),
    optimiser=OptimiserConfig(warmup=20),
    steps=200,
    validation_batches=4,
)


def clips(name: str, object: str) -> Clips:
    """Windows of up to four generated clips of one object; yours may be any sequences with hand parameters."""
    spec, samples = load_spec("open_grasps"), hand_samples(hand)
    made = make_clips(spec, hand, samples, Job(object, variant=0, clips=4, seed=0))
    print(f"{name}: {len(made)} clips of the object {object}")
    return build_clips([(each["id"], example_to_sequence(spec, each)) for each in made], hand, 32, 1000)


result = train(experiment, "run", clips("training", "mug"), clips("validation", "can"), hand)
print("\nErrors of the contact field and the joints on the validation clips, before and after the network:")
for name in ("distance", "correspondence", "joints"):
    print(f"  {name:15} {result[f'{name}_before_mm']:6.2f} mm, {result[f'{name}_mm']:6.2f} mm")

sequence = toch_jax.load_sequence(files("toch_jax.example") / "tracked.npz")
rows = {"before": rows_of(sequence)["before"]}
for name, denoiser in (("no network", None), ("this one", "run/denoiser.npz"), ("the shipped one", "default")):
    rows[name] = pose_hands(toch_jax.refine(sequence, denoiser))
truth = rows_of(sequence)["truth"]
print("\n" + metrics_table({name: measure(sequence, hands, truth) for name, hands in rows.items()}))
print("\nWritten: run/ with denoiser.npz, for `toch denoise --denoiser`, and loss.png.")
