"""`toch view`."""

import tyro

from toch_jax.cli.parse import File, OptionalFile


def view(
    sequence: tyro.conf.Positional[File],
    clean: tyro.conf.Positional[OptionalFile] = None,
    object: OptionalFile = None,
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
