"""`toch convert`: from a tracker's file to a sequence file."""

from pathlib import Path
from typing import Annotated

import tyro

from toch_jax.base.errors import bad_input
from toch_jax.cli.parse import FileOrFolder, OptionalFileOrFolder
from toch_jax.trackers.reading import Reading


def convert(
    source: tyro.conf.Positional[FileOrFolder],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    object: OptionalFileOrFolder = None,
    object_scale: float = 1.0,
    reading: tyro.conf.OmitArgPrefixes[Reading] = Reading(),  # noqa: B008
) -> int:
    """Make a sequence file of what a hand tracker wrote, an object's mesh and its poses; says what was read.

    Args:
        source: The tracker's file or folder: HaMeR, WiLoR, HaWoR, Dyn-HaMR, MediaPipe, VITRA, Video-to-Data, Aria,
            HaPTIC, HOLD, HOT3D, Ultraleap, BVH, plain arrays of joints, or a data set's own annotation
            (docs/formats/index.md). Its format is seen from its content.
        output: The sequence file (.npz) to write.
        object: The object's mesh: any file that trimesh reads, in metres; points (also .npy), which are closed; or a
            folder with a mesh for each part. A data set's own is found beside it.
        object_scale: Factor for the vertices of the object's mesh: 0.001 for millimetres.
        reading: How the tracker's file is read.
    """
    from toch_jax.sequence.file import save_sequence
    from toch_jax.trackers.to_sequence import load_any

    output = result_path(source, output)
    found = load_any(source, object, object_scale, reading)
    output.parent.mkdir(parents=True, exist_ok=True)
    save_sequence(output, found.sequence)
    for line in found.lines:
        print(line)
    print(f"sequence -> {output}")
    return 0


def check_convert(source: Path, output: Path, reading: Reading | None = None, **_: object) -> None:
    """Refuse object poses that are not there, and a result of one clip that is no .npz."""
    if reading is not None and reading.object_poses is not None and not reading.object_poses.exists():
        raise bad_input(reading.object_poses, "--object-poses", "a file or a folder", "nothing")
    output = result_path(source, output)
    if not is_folder_of_clips(source) and output.suffix != ".npz":
        raise bad_input(output, "-o", "a file name that ends in .npz", output.name)


def is_folder_of_clips(path: Path) -> bool:
    """Whether the path is a folder of sequence files, not what one tracker wrote of one clip."""
    if not path.is_dir() or not any(path.glob("*.npz")):
        return path.is_dir() and not any(path.iterdir())
    from toch_jax.trackers.formats import is_one_clip

    return not is_one_clip(path)


def result_path(source: Path, output: Path) -> Path:
    """The file to write for one clip: `output`, or in that folder under the clip's name."""
    return output / f"{source.stem}.npz" if output.is_dir() and not is_folder_of_clips(source) else output
