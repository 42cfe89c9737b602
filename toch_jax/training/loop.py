"""Training loop of all networks, with the file and the plot of its metrics.

The weights are the same bit for bit whether or not a run is interrupted and resumed.
"""

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import optax
from jaxtyping import Array, Float
from orbax.checkpoint import v1 as ocp
from tqdm import tqdm

from toch_jax.base.device import full_precision
from toch_jax.base.errors import bad_input
from toch_jax.base.files import write_text
from toch_jax.datasets.prepared import dataset_hand, read_sequences
from toch_jax.denoiser.checkpoints import save_network
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel
from toch_jax.training.clips import Clips, build_clips
from toch_jax.training.experiment import TrainingRun, optimiser, validate

State = tuple[Any, optax.OptState]
"""Network and optimiser state."""
WEIGHTS = "denoiser.npz"
"""Name of the file of final weights in the run folder."""
_PACKAGES = ("toch-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def run_experiment(experiment: TrainingRun, run_dir: str | Path) -> dict[str, float]:
    """Train or resume the run in `run_dir` on the experiment's data set; returns the last validation.

    Raises InputError if the data set is not prepared or `run_dir` holds the run of another experiment.
    """
    claim_run_dir(Path(run_dir).absolute(), experiment)
    data = experiment.data
    name = dataset_hand(data.dataset, data.data_dir) if data.hand == "dataset" else data.hand
    hand = load_hand(name)

    def clips(split: str) -> Clips:
        sequences = read_sequences(data.dataset, split, data.data_dir)
        return build_clips(
            sequences,
            hand,
            window=experiment.batch.window,
            n_samples=data.object_samples,
            speeds=data.speeds,
            frame_rate=experiment.frame_rate,
            where=split,
            hand_model=name,
            with_distances=experiment.with_distances,
        )

    return train(experiment, run_dir, clips("train"), clips("val"), hand)


def train(
    experiment: TrainingRun, run_dir: str | Path, clips: Clips, validation: Clips, hand: HandModel
) -> dict[str, float]:
    """Train or resume the run in `run_dir`; writes `denoiser.npz` there and returns the last validation.

    `hand` is the right hand of the clips. Raises InputError if `run_dir` holds the run of another experiment.
    """
    run_dir = Path(run_dir).absolute()
    claim_run_dir(run_dir, experiment)
    rule = optimiser(experiment.optimiser, experiment.steps)
    learner = experiment.learner(hand)
    state = (learner.network, rule.init(learner.network))
    # independent of the key that initialised the weights
    root = jax.random.fold_in(jax.random.key(experiment.seed), 1)

    @full_precision
    def batch_at(step: int) -> tuple[Any, jax.Array]:
        key = jax.random.fold_in(root, step)
        return learner.draw(key, clips), key

    def validated(network: Any) -> dict[str, float]:
        return validate(learner, network, validation, experiment.seed, experiment.validation_batches)

    def keep(network: Any, line: Mapping[str, float | int], is_last: bool) -> None:
        """Write the weights if they are the last, or those of the least error so far, as the experiment says."""
        name = experiment.least
        if name is None:
            chosen = is_last
        else:
            before = [each[name] for each in read_metrics(run_dir / "metrics.jsonl")[:-1] if name in each]
            chosen = line[name] < min(before, default=math.inf)
        if chosen:
            save_network(network, run_dir / WEIGHTS)

    # the device's default matmul precision, many times as fast: enough for gradients, not for geometry
    @jax.jit
    @jax.default_matmul_precision("default")
    def update(state: State, batch: Any, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        network, memory = state
        (loss, terms), gradient = jax.value_and_grad(learner.loss, has_aux=True)(network, batch, key)
        change, memory = rule.update(gradient, memory, network)
        return (optax.apply_updates(network, change), memory), {"loss": loss, **terms}

    with ocp.training.Checkpointer(
        run_dir / "checkpoints",
        save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(experiment.save_every),
        preservation_policy=ocp.training.preservation_policies.LatestN(2),
        cleanup_tmp_directories=True,
    ) as saver:
        first = 0
        if saver.latest is not None:
            first = saver.latest.step
            leaves = saver.load(first, dict(enumerate(jax.tree.leaves(state))))
            state = jax.tree.unflatten(jax.tree.structure(state), leaves.values())
        metrics = Metrics(run_dir / "metrics.jsonl", first)
        progress = tqdm(range(first, experiment.steps), initial=first, total=experiment.steps, desc=experiment.name)
        batch = batch_at(first)
        for step in progress:
            # the next batch is computed during the update with this one
            following = batch_at(step + 1)
            state, terms = update(state, *batch)
            batch, done = following, step + 1
            if done % experiment.log_every == 0 or done == experiment.steps:
                line = metrics.write(done, terms)
                progress.set_postfix(loss=f"{line['loss']:.3f}")
            if done % experiment.validate_every == 0 and done < experiment.steps:
                keep(state[0], metrics.write(done, validated(state[0])), is_last=False)
            saver.save_async(done, dict(enumerate(jax.tree.leaves(state))), force=done == experiment.steps)

    result = validated(state[0])
    keep(state[0], metrics.write(experiment.steps, result), is_last=True)
    plot_losses(run_dir / "metrics.jsonl", run_dir / "loss.png")
    return result


def claim_run_dir(run_dir: Path, experiment: TrainingRun) -> None:
    """Write the experiment and package versions to a new run; raises InputError if it is another experiment's."""
    record = run_dir / "experiment.json"
    mine = json.loads(json.dumps(asdict(experiment)))
    if record.is_file():
        name, ours, theirs = _first_difference(mine, json.loads(record.read_text()), "experiment")
        if name:
            raise bad_input(run_dir, name, f"{theirs!r}, as the run began", f"{ours!r}: choose another run folder")
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    versions = {package: version(package) for package in _PACKAGES}
    versions |= {"python": platform.python_version(), "platform": platform.platform(), "device": str(jax.devices()[0])}
    (run_dir / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")
    write_text(record, json.dumps(mine, indent=2) + "\n")


def _first_difference(ours: Any, theirs: Any, name: str) -> tuple[str, Any, Any]:
    """Name and both values of the first entry that differs; an empty name if none does."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            found = _first_difference(ours.get(key), theirs.get(key), f"{name}.{key}")
            if found[0]:
                return found
        return "", None, None
    return ("", None, None) if ours == theirs else (name, ours, theirs)


class Metrics:
    """Metrics file with one line per step; on resuming, lines after the step of the checkpoint are removed."""

    def __init__(self, path: Path, resumed_at: int) -> None:
        kept = [line for line in read_metrics(path) if line["step"] <= resumed_at] if path.is_file() else []
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
        self.path = path

    def write(self, step: int, values: Mapping[str, float | Float[Array, ""]]) -> dict[str, float | int]:
        """Appends a line with the step and the values, rounded to six decimals; returns it."""
        line: dict[str, float | int] = {
            "step": step,
            **{name: round(float(value), 6) for name, value in values.items()},
        }
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        return line


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All complete lines; the last one may be partial after an interruption."""
    lines = path.read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines]


def plot_losses(path: Path, picture: Path) -> None:
    """Writes a PNG of training losses and validation errors over steps; `path` is the metrics file."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    lines = read_metrics(path)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    trained = [line for line in lines if "loss" in line]
    for name in trained[0].keys() - {"step", "sigma"}:
        left.plot([line["step"] for line in trained], [line[name] for line in trained], label=name)
    left.set(title="training", xlabel="step", yscale="log")
    validated = [line for line in lines if "loss" not in line]
    for name in sorted(key for key in validated[0] if key.endswith("_mm")):
        right.plot([line["step"] for line in validated], [line[name] for line in validated], label=name)
    right.set(title="validation", xlabel="step", ylabel="mm", ylim=(0, None))
    left.legend()
    right.legend()
    figure.savefig(picture, dpi=100)
    pyplot.close(figure)
