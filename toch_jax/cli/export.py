"""`toch export`: from a sequence file to the format of another program."""

from pathlib import Path
from typing import Annotated

import tyro

from toch_jax.cli.parse import File, OptionalFileOrFolder
from toch_jax.exporters.endings import ENDINGS, check_target
from toch_jax.exporters.writing import Writing


def export(
    sequence: tyro.conf.Positional[File],
    to: Annotated[str, tyro.conf.arg(metavar="NAME")],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    object: OptionalFileOrFolder = None,
    object_scale: float = 1.0,
    fps: Annotated[float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="")] = None,
    writing: tyro.conf.OmitArgPrefixes[Writing] = Writing(),  # noqa: B008
) -> int:
    """Write a sequence file in the format of another program: docs/formats/export.md.

    Args:
        sequence: A sequence file (.npz), as `toch denoise` and `toch convert` write it.
        to: {formats}.
        output: The file to write; a folder where the format has several files.
        object: The object's mesh, where the sequence file holds none.
        object_scale: Factor for the vertices of the object's mesh: 0.001 for millimetres.
        fps: Frames per second to write; hands and object are interpolated together, so that contact is kept.
        writing: What the format leaves open.
    """
    from toch_jax.exporters.formats import export_sequence
    from toch_jax.sequence.file import load_sequence
    from toch_jax.track.resampling import resampled

    loaded = load_sequence(sequence, object, object_scale=object_scale)
    if fps is not None:
        loaded = resampled(loaded, fps)
    for remark in export_sequence(output, loaded, to, writing):
        print(f"note: {remark}")
    print(f"{to} -> {output}")
    return 0


export.__doc__ = (export.__doc__ or "").replace("{formats}", ", ".join(ENDINGS))


def check_export(to: str, output: Path, **_: object) -> None:
    """Refuse a format that there is not, and a file that the format does not have."""
    check_target(output, to)
