"""The command line: `toch denoise | prepare | train | benchmark | view | info | demo`."""

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import tyro

from toch_jax.errors import InputError, bad_input

# Each command imports what it needs when it runs: JAX and the data libraries take seconds to import.

USAGE_ERROR = 2


def denoise(
    sequence: tyro.conf.Positional[Path],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    object: Path | None = None,
    denoiser: str = "default",
    picture: bool = True,
) -> int:
    """Repair a tracked sequence, or a folder of them.

    Args:
        sequence: A sequence file (.npz), or a folder of them.
        output: The file, or folder, to write.
        object: The object's mesh, where the sequence file holds none (any format that trimesh reads, metres).
        denoiser: A checkpoint that `toch train` wrote; "default" is the one that ships; "none" fits without a network.
        picture: Write a before/after picture (.png) beside each result.
    """
    from toch_jax.denoise import denoise_file, denoise_folder
    from toch_jax.denoiser.checkpoints import load_denoiser

    if not sequence.exists():
        raise bad_input(sequence, "SEQUENCE", "a file or a folder", "nothing")
    network = None if denoiser == "none" else load_denoiser(denoiser)
    if sequence.is_dir():
        written, faults = denoise_folder(sequence, output, network, object, picture)
        for fault in faults:
            print(f"toch: {fault}", file=sys.stderr)
        print(f"{len(written)} written to {output}, {len(faults)} refused")
        return USAGE_ERROR if faults else 0
    if output.is_dir():
        output = output / sequence.name
    if output.suffix != ".npz":
        raise bad_input(output, "-o", "a file name that ends in .npz", output.name)
    report = denoise_file(sequence, output, network, object, picture)
    print(report.table)
    if report.lost:
        print(f"{report.lost} lost frames were filled in; hand_joint_sigma says how sure they are")
    print(f"{report.frames} frames repaired in {report.seconds:.1f} s -> {output}")
    if report.picture is not None:
        print(f"picture -> {report.picture}")
    return 0


def prepare(
    dataset: tyro.conf.Positional[Literal["open_grasps", "myodm", "grab", "arctic"]],
    data_dir: Path | None = None,
    wheel: Path | None = None,
    raw: Path | None = None,
    toch_rules: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
    protocol: Literal["p1", "p2"] = "p1",
) -> int:
    """Make a data set ready for training and benchmarks; goes on where it was killed.

    Args:
        dataset: open_grasps is generated, myodm is downloaded and retargeted, grab and arctic are read from your own
            download (docs/grab.md, docs/arctic.md).
        data_dir: Where prepared data sets lie; the default is $TOCH_DATA or the user's data folder.
        wheel: myodm only: the myosuite wheel, where it was downloaded by hand.
        raw: grab and arctic only: the folder of the unzipped download.
        toch_rules: grab only: the clips that TOCH was trained on, one hand each; the data set is then grab_toch.
        protocol: arctic only: the official splits; with p2 the data set is arctic_p2.
    """
    from toch_jax.datasets import arctic, grab, myodm, open_grasps

    given = {
        "--wheel": (wheel is not None, ["myodm"]),
        "--raw": (raw is not None, ["grab", "arctic"]),
        "--toch-rules": (toch_rules, ["grab"]),
        "--protocol": (protocol != "p1", ["arctic"]),
    }
    for option, (is_there, owners) in given.items():
        if is_there and dataset not in owners:
            raise bad_input(f"toch prepare {dataset}", option, f"it with {' or '.join(owners)} alone", "it")
    if dataset == "open_grasps":
        print(open_grasps.prepare(data_dir))
    elif dataset == "myodm":
        print(myodm.prepare(data_dir, wheel=wheel))
    elif raw is None:
        raise bad_input(f"toch prepare {dataset}", "--raw", "the folder of the unzipped download", "nothing")
    elif dataset == "grab":
        print(grab.prepare(raw, data_dir, toch_rules))
    else:
        print(arctic.prepare(raw, data_dir, protocol))
    return 0


def train(arguments: list[str]) -> int:
    """`toch train EXPERIMENT [--run-dir DIR] [overrides]`: the experiment's own fields are the overrides."""
    from toch_jax.training.experiment import load_experiment
    from toch_jax.training.run import run_experiment

    if not arguments or arguments[0].startswith("-"):
        print("usage: toch train EXPERIMENT.py [--run-dir DIR] [--steps N --batch.window W ...]\n")
        return 0 if arguments[:1] in (["-h"], ["--help"]) else USAGE_ERROR
    path, *overrides = arguments
    run_dir = Path("runs") / Path(path).stem
    if "--run-dir" in overrides:
        place = overrides.index("--run-dir")
        if place + 1 == len(overrides):
            raise bad_input("toch train", "--run-dir", "a folder", "nothing")
        run_dir = Path(overrides[place + 1])
        del overrides[place : place + 2]
    for name, value in run_experiment(load_experiment(path, overrides), run_dir).items():
        print(f"{name}: {value:.3f}")
    print(f"denoiser -> {run_dir / 'denoiser.npz'}")
    return 0


def benchmark(
    experiment: tyro.conf.Positional[Path | None] = None,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("runs/benchmark"),
    quick: bool = False,
    reported: tuple[str, ...] | None = None,
) -> int:
    """Compare the tracked input, tuned filters, other people's methods and the denoiser under T, R and other noises.

    Args:
        experiment: A Python file that binds `benchmark` (experiments/benchmark.py).
        output: The folder of results.json, results.md and plots/; a run that was killed goes on there.
        quick: Two short clips and two noises.
        reported: Instead, show what others published: the figures that hold all of these words, such as GRAB mpjpe.
    """
    import runpy

    if reported is not None:
        from toch_jax.evaluate.reported import load_reported, matching
        from toch_jax.evaluate.tables import reported_table

        print(reported_table(matching(load_reported(), reported)), end="")
        return 0

    from toch_jax.benchmark import Benchmark, run_benchmark

    if experiment is None or not experiment.is_file():
        raise bad_input(experiment or "toch benchmark", "EXPERIMENT", "a Python file that binds `benchmark`", "no file")
    bound = runpy.run_path(str(experiment)).get("benchmark")
    if not isinstance(bound, Benchmark):
        raise bad_input(experiment, "benchmark", "a Benchmark", type(bound).__name__)
    run_benchmark(bound, output, quick)
    print((output / "results.md").read_text(encoding="utf-8"))
    return 0


def view(
    sequence: tyro.conf.Positional[Path],
    clean: tyro.conf.Positional[Path | None] = None,
    object: Path | None = None,
    port: int = 8080,
) -> int:
    """Show a sequence in a browser: the tracked hands, the repaired ones, and the ground truth where the file has it.

    Args:
        sequence: A sequence file (.npz).
        clean: The file that `toch denoise` wrote for it.
        object: The object's mesh (metres), where neither file holds one.
        port: Port on this machine where the page is served.
    """
    from toch_jax.view.rows import load_rows
    from toch_jax.view.viewer import view as serve

    serve(*load_rows(sequence, clean, object), port=port)
    return 0


def info() -> int:
    """Devices, versions, and which hand models and data sets are here."""
    from importlib.metadata import version

    import jax

    from toch_jax.datasets.read import dataset_dir
    from toch_jax.datasets.spec import load_spec, spec_names
    from toch_jax.hand.files import load_hand, mano_place

    for package in ("toch-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "trimesh", "tensorflow-datasets"):
        print(f"{package:20} {version(package)}")
    print(f"{'devices':20} {', '.join(str(device) for device in jax.devices())}")
    for model in ("open", "mano"):
        for side in ("right", "left"):
            try:
                hand = load_hand(model, side)
            except InputError:
                print(f"hand {model} {side:9} not here (looked in {mano_place()})")
            else:
                print(f"hand {model} {side:9} {hand.v_template.shape[0]} vertices, {hand.faces.shape[0]} faces")
    for dataset in spec_names():
        folder = dataset_dir(dataset)
        here = (folder / "dataset_info.json").is_file()
        print(f"data {dataset:15} {folder if here else f'not prepared: {load_spec(dataset).how_to_get}'}")
    return 0


def demo(output: tyro.conf.Positional[Path] = Path("demo")) -> int:
    """Repair the clip that comes with the package.

    Args:
        output: The folder to write to.
    """
    from importlib.resources import as_file, files

    with as_file(files("toch_jax.example") / "tracked.npz") as example:
        print(f"a tracked hand shakes and sinks into the object it holds: {example}")
        return denoise(example, output / "clean.npz")


COMMANDS: dict[str, Callable[..., int]] = {
    "denoise": denoise,
    "prepare": prepare,
    "benchmark": benchmark,
    "view": view,
    "info": info,
    "demo": demo,
}


def _set_up_jax() -> None:
    import jax
    import platformdirs

    from toch_jax.device import EXACT

    usual = Path(platformdirs.user_cache_dir("toch_jax", appauthor=False)) / "compiled"
    jax.config.update("jax_compilation_cache_dir", os.environ.get("JAX_COMPILATION_CACHE_DIR") or str(usual))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_default_matmul_precision", EXACT)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 on success, 2 on bad input, whose one line goes to standard error."""
    # XLA remarks on cached code at a level that users would take for errors.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Imports and tracing make a million objects that stay: as often as by default, looking them over costs seconds.
    gc.set_threshold(50_000)
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        _set_up_jax()
        if arguments[:1] == ["train"]:
            # tyro gives the experiment its own flags, typed after what the file binds
            return train(arguments[1:])
        return tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="toch", description=__doc__, args=arguments)
    except InputError as fault:
        print(f"toch: {fault}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
