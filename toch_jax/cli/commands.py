"""The command `toch`: its commands, whose docstrings are their help, and what becomes of a fault: one line on standard
error, exit code 2."""

import os
import shutil
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from textwrap import indent
from typing import Annotated, Literal

import tyro

from toch_jax.base.errors import InputError, bad_input, missing_extra
from toch_jax.cli.convert import check_convert, convert, is_folder_of_clips, result_path
from toch_jax.cli.experiments import benchmark, check_benchmark, train
from toch_jax.cli.export import check_export, export
from toch_jax.cli.follow import or_follow
from toch_jax.cli.parse import (
    File,
    FileOrFolder,
    Folder,
    Group,
    OptionalFile,
    OptionalFileOrFolder,
    OptionalFolder,
    Switch,
    UsageError,
    completion,
    run,
    typed,
)
from toch_jax.cli.prepare_annotated import ANNOTATED
from toch_jax.cli.prepare_generated import GENERATED
from toch_jax.trackers.reading import Reading

PACKAGES = (
    *("toch-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "trimesh"),
    *("tensorflow-datasets", "mujoco", "viser"),
)
"""Packages whose versions `toch info` prints."""
USUAL_FRAMES = (64, 128, 192)
"""`warming.USUAL_FRAMES`, which is not imported here: JAX takes seconds."""
USAGE_ERROR, INTERRUPTED, BROKEN_PIPE = 2, 130, 141


def demo(output: tyro.conf.Positional[Path] = Path("demo")) -> int:
    """Repair the clip that comes with the package, and compare with a filter and with the fit without the network.

    Args:
        output: The folder to write to.
    """
    from toch_jax.base.programs import loaded_ahead

    with loaded_ahead():
        from toch_jax.base.progress import to_stderr
        from toch_jax.cli.demo_clip import demo_text, run_demo

        print(demo_text(run_demo(output, to_stderr), _as_typed()))
    return 0


def denoise(
    sequence: tyro.conf.Positional[FileOrFolder],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    object: OptionalFileOrFolder = None,
    object_scale: float = 1.0,
    denoiser: Annotated[str, tyro.conf.arg(metavar="FILE|default|none")] = "default",
    critic: Annotated[str, tyro.conf.arg(metavar="FILE|default|none")] = "none",
    hand: Annotated[Literal["given", "model"], tyro.conf.arg(metavar="given|model")] = "given",
    keep_object: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
    scale: Annotated[Literal["given", "free"], tyro.conf.arg(metavar="given|free")] = "given",
    picture: bool = True,
    reading: tyro.conf.OmitArgPrefixes[Reading] = Reading(),  # noqa: B008
) -> int:
    """Repair a tracked sequence, or every sequence of a folder; with --follow, frames of JSON while they are tracked.

    Args:
        sequence: A sequence file (.npz), a tracker's file or folder (`toch convert --help`), or a folder of .npz files.
        output: The file, or folder, to write. Files of a folder that were repaired before are left as they are.
        object: The object's mesh, if the sequence file holds none: any file that trimesh reads, in metres; points,
            which are closed; or a folder with a mesh for each part.
        object_scale: Factor for the vertices of the object's mesh, wherever it comes from: 0.001 for millimetres.
        denoiser: A file that `toch train` wrote; "default" is the network in the package, "none" fits without one.
        critic: "default" also tells by touch whether a hand is off as a whole, above all along a known camera's ray,
            and moves it; a note says how far. Or a file that `toch train` wrote. Not used without a denoiser.
        hand: "given" writes hands in the form in which they came: parameters, the tracker's own joints, or its own
            points. "model" writes parameters, joints and mesh of the hand model, whatever came.
        keep_object: Leave the object's poses as they came, also where they shake (lost ones are interpolated); the hand
            is then repaired beside better ones than the file holds.
        scale: "free" scales the mesh of a rigid object as the hands' contacts say, if they do; a note says by how much.
        picture: Write a before/after picture (.png) beside each result.
        reading: How a tracker's file is read.
    """
    from toch_jax.base.programs import loaded_ahead

    with loaded_ahead():
        from toch_jax.base.progress import to_stderr
        from toch_jax.cli.denoise_file import denoise_file, denoise_folder, folder_text, report_text
        from toch_jax.critic.files import load_critic
        from toch_jax.denoiser.checkpoints import load_denoiser

        repair_file = partial(
            denoise_file,
            denoiser=None if denoiser == "none" else load_denoiser(denoiser),
            critic=None if critic == "none" else load_critic(critic),
            object_mesh=object,
            object_scale=object_scale,
            hand=hand,
            keep_object=keep_object,
            scale=scale,
            picture=picture,
            reading=reading,
        )
        if is_folder_of_clips(sequence):
            done = denoise_folder(sequence, output, repair_file)
            for fault in done.refused.values():
                print(indent(str(fault), "toch: "), file=sys.stderr)
            print(folder_text(done))
            return 2 if done.refused else 0
        output = result_path(sequence, output)
        report = repair_file(sequence, output, progress=to_stderr)
        print(report_text(report))
        print(f"result -> {output}")
        if report.picture is not None:
            print(f"picture -> {report.picture}")
        return 0


def check_denoise(
    sequence: Path,
    output: Path,
    denoiser: str = "default",
    critic: str = "none",
    reading: Reading | None = None,
    **_: object,
) -> None:
    """Refuse a network or a file that is not there, and a result of one clip that is no .npz."""
    for network, flag in ((denoiser, "--denoiser"), (critic, "--critic")):
        if network not in ("default", "none") and not Path(network).is_file():
            raise bad_input(network, flag, "a file, default or none", "no such file")
    check_convert(sequence, output, reading)


def view(
    sequence: tyro.conf.Positional[File],
    clean: tyro.conf.Positional[OptionalFile] = None,
    object: OptionalFileOrFolder = None,
    port: int = 8080,
) -> int:
    """Show a sequence in a browser: the tracked hands, the repaired ones, and the ground truth where the file has it.

    Args:
        sequence: A sequence file (.npz).
        clean: The file that `toch denoise` wrote for it.
        object: The object's mesh (metres), where neither file holds one.
        port: Port on this machine where the page is served.
    """
    from toch_jax.view.scene import load_rows
    from toch_jax.view.viewer import view as serve

    serve(*load_rows(sequence, clean, object), port=port)
    return 0


def info() -> int:
    """Devices, versions, and which hand models and data sets are installed."""
    import jax

    from toch_jax.base.errors import extra_with
    from toch_jax.datasets.prepared import dataset_dir
    from toch_jax.datasets.spec import load_spec, spec_names
    from toch_jax.hand.files import load_hand, mano_folder

    for package in PACKAGES:
        try:
            found = version(package)
        except PackageNotFoundError:
            found = f"not installed: pip install 'toch-jax[{extra_with(package)}]'"
        print(f"{package:20} {found}")
    print(f"{'devices':20} {', '.join(str(device) for device in jax.devices())}")
    for model in ("open", "mano"):
        for side in ("right", "left"):
            try:
                hand = load_hand(model, side)
            except InputError:
                print(f"hand {model} {side:9} not here (looked in {mano_folder()})")
            else:
                print(f"hand {model} {side:9} {hand.v_template.shape[0]} vertices, {hand.faces.shape[0]} faces")
    for dataset in spec_names():
        folder = dataset_dir(dataset)
        here = (folder / "dataset_info.json").is_file()
        print(f"data {dataset:15} {folder if here else f'not prepared: {load_spec(dataset).how_to_get}'}")
    return 0


def warm_up(
    frames: tyro.conf.Positional[tuple[int, ...]] = USUAL_FRAMES,
    hand_model: Annotated[str, tyro.conf.arg(metavar="open|mano|FILE")] = "open",
) -> int:
    """Compile beforehand, about a minute for each length, so that later commands and calls start at once.

    Args:
        frames: Lengths of clips. Each serves all clips that are padded to it: up to 16, 32, 64, then multiples of 64.
        hand_model: The hand that the clips' parameters belong to.
    """
    from toch_jax.base.progress import to_stderr
    from toch_jax.warming import warm_up as compile_beforehand

    for length, seconds in compile_beforehand(frames, hand_model=hand_model, progress=to_stderr).items():
        print(f"{length} frames: {seconds:.1f} s")
    return 0


def _as_typed() -> str:
    """What the user types for `toch`: the name where the shell finds it, else the path, else the module."""
    started = Path(sys.argv[0])
    if started.name != "toch":
        return "python -m toch_jax"
    return "toch" if shutil.which("toch") == str(started.absolute()) else str(started)


def myodm(data_dir: OptionalFolder = None, wheel: OptionalFile = None) -> int:
    """Download MyoDM's recordings of real grasps with pip and retarget them to the open hand.

    Args:
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
        wheel: The myosuite wheel, if it was downloaded by hand.
    """
    from toch_jax.datasets.myodm import prepare

    print(prepare(data_dir, wheel=wheel))
    return 0


def grab(raw: Folder, data_dir: OptionalFolder = None, toch_rules: Switch = False) -> int:
    """Read GRAB from your own download.

    GRAB may not be passed on. Register at grab.is.tue.mpg.de, download the ten subjects, the object meshes and the
    subject meshes, and unzip them into one folder, which then holds grab/s1/*.npz to grab/s10/*.npz,
    tools/object_meshes/contact_meshes/*.ply and tools/subject_meshes/{female,male}/*.ply. MANO's files
    (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their folder.

    Args:
        raw: The folder that holds grab/ and tools/.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
        toch_rules: Only the clips that TOCH was trained on, one hand each; the data set is then grab_toch.
    """
    from toch_jax.datasets.grab import prepare

    print(prepare(raw, data_dir, toch_rules))
    return 0


def arctic(raw: Folder, data_dir: OptionalFolder = None, protocol: Literal["p1", "p2"] = "p1") -> int:
    """Read ARCTIC from your own download.

    ARCTIC may not be passed on. Register at arctic.is.tue.mpg.de, clone its repository (zc-alexfan/arctic), and run its
    bash/download_misc.sh and scripts_data/unzip_download.py (some 300 MB, no images); unpack/arctic_data/data then
    holds raw_seqs, meta and splits_json. MANO's files (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their
    folder.

    Args:
        raw: The folder that holds raw_seqs, meta and splits_json.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
        protocol: The official splits; with p2 the data set is arctic_p2.
    """
    from toch_jax.datasets.arctic import prepare

    print(prepare(raw, data_dir, protocol))
    return 0


PREPARE = Group(
    "Make a data set ready for training and benchmarks; resumes if interrupted.",
    {
        **GENERATED,
        **{"myodm": typed(myodm), "grab": typed(grab), "arctic": typed(arctic)},
        **ANNOTATED,
    },
)
TOCH = Group(
    "Repair tracked hand-object motion.",
    {
        "demo": typed(demo),
        "denoise": or_follow(typed(denoise, check_denoise)),
        "convert": typed(convert, check_convert),
        "export": typed(export, check_export),
        "view": typed(view),
        "info": typed(info),
        "warm-up": typed(warm_up),
        "prepare": PREPARE,
        "train": train,
        "benchmark": typed(benchmark, check_benchmark),
    },
    {
        "--version": "the version of toch-jax",
        "--completion SHELL": "a script that completes commands in bash, zsh or fish",
    },
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command. 0 on success; 2 on faulty words or input; 130 when interrupted; 141 when its output is cut."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return _run(words)
    except UsageError as fault:
        print(fault, file=sys.stderr)
        return USAGE_ERROR
    except InputError as fault:
        print(indent(str(fault), "toch: "), file=sys.stderr)
        return USAGE_ERROR
    except ModuleNotFoundError as error:
        missing = missing_extra(error)
        if missing is error:
            raise
        print(f"toch: {missing}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # what reads the output has ended: `toch --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _run(words: list[str]) -> int:
    try:
        if words[:1] == ["--version"]:
            print(f"toch-jax {version('toch-jax')}")
            return 0
        if words[:1] == ["--completion"]:
            print(completion(TOCH, "toch", words[1:]))
            return 0
        return run(TOCH, words, "toch")
    finally:
        sys.stdout.flush()
