"""A sequence in the browser: hands before and after on their object, with a time slider (viser, the extra `view`)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from toch_jax.evaluate.pose import PosedHand
from toch_jax.extras import missing_extra
from toch_jax.sequence.types import Sequence
from toch_jax.view.render import Surface
from toch_jax.view.surfaces import hand_surface, object_surface

if TYPE_CHECKING:
    import viser

ROW_COLORS = (np.array([0.94, 0.60, 0.38]), np.array([0.36, 0.66, 0.95]), np.array([0.55, 0.80, 0.45]))
SIDE_BY_SIDE_M = 0.4
LOOKING = np.array([-0.48, 0.72, -0.5])
"""Which way the camera looks at first; z is up."""
ROOM_M = 0.15
"""Beyond the hands' joints, for the object."""


@dataclass(frozen=True)
class Viewer:
    """A running server and the controls that say what it shows."""

    server: "viser.ViserServer"
    frame: "viser.GuiSliderHandle[int]"
    play: "viser.GuiCheckboxHandle"
    meshes: "dict[str, viser.MeshHandle]"
    """By scene path: row/object, row/hand0, ..."""


def view(sequence: Sequence, rows: Mapping[str, list[PosedHand]], host: str = "localhost", port: int = 8080) -> None:
    """Serves `open_viewer` until interrupted, and plays the sequence while "play" is ticked."""
    viewer = open_viewer(sequence, rows, host, port)
    try:
        while True:
            time.sleep(1 / sequence.fps)
            if viewer.play.value:
                following = (viewer.frame.value + 1) % sequence.n_frames
                viewer.frame.value = following  # type: ignore[misc]  # its stub has no setter
    except KeyboardInterrupt:
        viewer.server.stop()


def open_viewer(
    sequence: Sequence, rows: Mapping[str, list[PosedHand]], host: str = "localhost", port: int = 8080
) -> Viewer:
    """Starts the server and returns. `rows` are versions of the sequence's hands by name ("before", "after").

    Raises InputError where viser is not installed.
    """
    try:
        import viser
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    server = viser.ViserServer(host, port, verbose=False)
    server.scene.set_up_direction("+z")
    middle, radius = _ball_about(rows)
    # from 1.64 radii on a ball is within the 75 degrees that the browser shows
    server.initial_camera.look_at = tuple(middle)
    server.initial_camera.position = tuple(middle - 1.7 * radius * LOOKING)
    last = sequence.n_frames - 1
    frame = server.gui.add_slider("frame", 0, max(last, 1), 1, 0, disabled=last == 0)
    play = server.gui.add_checkbox("play", last > 0)
    apart = server.gui.add_checkbox("side by side", False, visible=len(rows) > 1)
    shown = {name: server.gui.add_checkbox(name, True) for name in rows}
    groups = {name: server.scene.add_frame(f"/{name}", show_axes=False) for name in rows}
    meshes: dict[str, viser.MeshHandle] = {}

    def draw() -> None:
        now = min(int(frame.value), last)
        thing = object_surface(sequence, now)
        with server.atomic():
            for (name, hands), color in zip(rows.items(), ROW_COLORS, strict=False):
                put(f"/{name}/object", thing)
                for index, hand in enumerate(hands):
                    put(f"/{name}/hand{index}", hand_surface(hand, now, color=color))

    def put(name: str, surface: Surface) -> None:
        vertices, faces = surface.vertices.astype(np.float32), surface.faces.astype(np.uint32)
        if name in meshes and meshes[name].faces.shape == faces.shape:
            meshes[name].vertices = vertices
            return
        red, green, blue = (int(255 * value) for value in np.broadcast_to(surface.color, vertices.shape)[0])
        meshes[name] = server.scene.add_mesh_simple(
            name, vertices, faces, color=(red, green, blue), opacity=surface.opacity, side="double"
        )

    def arrange() -> None:
        for index, (name, group) in enumerate(groups.items()):
            group.visible = shown[name].value
            group.position = (index * SIDE_BY_SIDE_M * apart.value, 0.0, 0.0)

    frame.on_update(lambda _: draw())
    for box in (apart, *shown.values()):
        box.on_update(lambda _: arrange())
    draw()
    arrange()
    return Viewer(server, frame, play, meshes)


def _ball_about(rows: Mapping[str, list[PosedHand]]) -> tuple[Float[np.ndarray, "3"], float]:
    """The middle of where hands are in any frame, and how far about it there is something to see; metres."""
    places = np.concatenate([np.asarray(hand.joints).reshape(-1, 3) for hands in rows.values() for hand in hands])
    low, high = np.nanmin(places, axis=0), np.nanmax(places, axis=0)
    return (low + high) / 2, float(np.linalg.norm(high - low)) / 2 + ROOM_M
