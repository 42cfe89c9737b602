"""`toch denoise`."""

import sys
from pathlib import Path
from textwrap import indent
from typing import Annotated, Literal

import tyro

from toch_jax.base.errors import bad_input
from toch_jax.cli.parse import FileOrFolder, OptionalFile


def denoise(
    sequence: tyro.conf.Positional[FileOrFolder],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    object: OptionalFile = None,
    object_scale: float = 1.0,
    denoiser: Annotated[str, tyro.conf.arg(metavar="FILE|default|none")] = "default",
    hand: Annotated[Literal["given", "model"], tyro.conf.arg(metavar="given|model")] = "given",
    keep_object: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
    picture: bool = True,
) -> int:
    """Repair a tracked sequence, or every sequence of a folder.

    Args:
        sequence: A sequence file (.npz), or a folder of them.
        output: The file, or folder, to write. Files of a folder that were repaired before are left as they are.
        object: The object's mesh, if the sequence file holds none: any format that trimesh reads, in metres.
        object_scale: Factor for the vertices of the object's mesh, wherever it comes from: 0.001 for millimetres.
        denoiser: A file that `toch train` wrote; "default" is the network in the package, "none" fits without one.
        hand: "given" writes hands in the form in which they came: parameters, the tracker's own joints, or its own
            points. "model" writes parameters, joints and mesh of the hand model, whatever came.
        keep_object: Leave the object's poses as they came, also where they shake; the hand is then repaired beside
            smoother ones than the file holds.
        picture: Write a before/after picture (.png) beside each result.
    """
    from toch_jax.base.progress import to_stderr
    from toch_jax.cli.denoise_file import denoise_file, denoise_folder, folder_text, report_text
    from toch_jax.denoiser.checkpoints import load_denoiser

    network = None if denoiser == "none" else load_denoiser(denoiser)
    if sequence.is_dir():
        done = denoise_folder(sequence, output, network, object, object_scale, hand, keep_object, picture)
        for fault in done.refused.values():
            print(indent(str(fault), "toch: "), file=sys.stderr)
        print(folder_text(done))
        return 2 if done.refused else 0
    if output.is_dir():
        output = output / sequence.name
    report = denoise_file(sequence, output, network, object, object_scale, hand, keep_object, picture, to_stderr)
    print(report_text(report))
    print(f"result -> {output}")
    if report.picture is not None:
        print(f"picture -> {report.picture}")
    return 0


def check_denoise(sequence: Path, output: Path, denoiser: str = "default", **_: object) -> None:
    """Refuse a network that is not there, and a result of one file that is no .npz."""
    if denoiser not in ("default", "none") and not Path(denoiser).is_file():
        raise bad_input(denoiser, "--denoiser", "a file, default or none", "no such file")
    output = output / sequence.name if output.is_dir() else output
    if sequence.is_file() and output.suffix != ".npz":
        raise bad_input(output, "-o", "a file name that ends in .npz", output.name)
