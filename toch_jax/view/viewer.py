"""A sequence in the browser: versions of its hands on their object, with a time slider (viser, the extra `view`)."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from toch_jax.base.errors import missing_extra
from toch_jax.metrics.clip import sequence_parts
from toch_jax.metrics.contact import CONTACT_SAMPLE_M
from toch_jax.sequence.types import Sequence
from toch_jax.view.render import Surface
from toch_jax.view.scene import CONTACT_COLOR, DEEP_COLOR, Rows, distances_at, hand_surface, object_surface

if TYPE_CHECKING:
    import viser

ROW_COLORS = {"before": (0.94, 0.60, 0.38), "after": (0.36, 0.66, 0.95), "truth": (0.88, 0.86, 0.78)}
OTHER_COLOR = (0.75, 0.62, 0.88)
OBJECT_COLOR = np.array([0.60, 0.62, 0.66])
DIRECTION = np.array([-0.48, 0.72, -0.5])
"""Initial viewing direction; z is up."""
UPS = {"z": (0.0, 0.0, 1.0), "y": (0.0, 1.0, 0.0), "-y (a camera's)": (0.0, -1.0, 0.0)}
"""Upward directions to choose from, by label."""
ROOM_M = 0.13
"""Space kept free around the object for the hands, metres."""


@dataclass(frozen=True)
class Viewer:
    """A running server, its controls and its scene nodes."""

    server: "viser.ViserServer"
    frame: "viser.GuiSliderHandle[int]"
    play: "viser.GuiCheckboxHandle"
    groups: "dict[str, viser.FrameHandle]"
    """Scene node of each row, by name."""
    meshes: "dict[str, viser.MeshHandle]"
    """Meshes by scene path: row/object, and row/hand0/skin, .../contact, .../inside."""


def view(sequence: Sequence, rows: Rows, host: str = "localhost", port: int = 8080) -> None:
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


def open_viewer(sequence: Sequence, rows: Rows, host: str = "localhost", port: int = 8080) -> Viewer:
    """Starts the server and returns. Raises InputError where viser is not installed."""
    try:
        import viser
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    server = viser.ViserServer(host, port, verbose=False)
    last = sequence.n_frames - 1
    frame = server.gui.add_slider("frame", 0, max(last, 1), 1, 0, disabled=last == 0)
    play = server.gui.add_checkbox("play", last > 0)
    apart = server.gui.add_checkbox("side by side", len(rows) > 1, visible=len(rows) > 1)
    follow = server.gui.add_checkbox("follow the object", True)
    up = server.gui.add_dropdown("up", tuple(UPS))
    shown = {name: server.gui.add_checkbox(name, True) for name in rows}
    server.gui.add_markdown(_legend(rows))
    groups = {name: server.scene.add_frame(f"/{name}", show_axes=False) for name in rows}
    meshes: dict[str, viser.MeshHandle] = {}
    parts = sequence_parts(sequence)
    middles = np.stack([object_surface(sequence, now).vertices.mean(axis=0) for now in range(last + 1)])
    radius = ROOM_M + np.linalg.norm(object_surface(sequence, 0).vertices - middles[0], axis=1).max()
    right = np.cross(DIRECTION, (0, 0, 1))
    step = 2 * radius * right / np.linalg.norm(right)
    # 75 degrees are visible from bottom to top, and more from left to right
    target, distance = middles[0] + step * (len(rows) - 1) / 2, radius * (1.4 + 0.55 * (len(rows) - 1))
    server.initial_camera.look_at = tuple(target)
    server.initial_camera.position = tuple(target - distance * DIRECTION)

    def draw() -> None:
        now = min(int(frame.value), last)
        with server.atomic():
            for name, hands in rows.items():
                held = object_surface(sequence, now, beside=hands[0])
                put(f"/{name}/object", held.vertices, held.faces, OBJECT_COLOR, held.opacity)
                for index, hand in enumerate(hands):
                    color = np.array(ROW_COLORS.get(name, OTHER_COLOR))
                    surface = hand_surface(hand, now, color=color)
                    distances = None if hand.faces is None else distances_at(sequence, parts, hand, [now])[0]
                    for part, faces in _painted(surface, distances).items():
                        tint = {"contact": CONTACT_COLOR, "inside": DEEP_COLOR}.get(part, color)
                        put(f"/{name}/hand{index}/{part}", surface.vertices, faces, tint)
            arrange()

    def put(
        name: str,
        vertices: Float[np.ndarray, "V 3"],
        faces: Int[np.ndarray, "F 3"],
        color: Float[np.ndarray, "3"],
        opacity: float = 1.0,
    ) -> None:
        if name not in meshes:
            red, green, blue = (int(255 * value) for value in color)
            some = faces if len(faces) else np.zeros((1, 3))
            meshes[name] = server.scene.add_mesh_simple(
                name,
                vertices.astype(np.float32),
                some.astype(np.uint32),
                color=(red, green, blue),
                opacity=opacity if opacity < 1 else None,
                side="double",
            )
        mesh = meshes[name]
        mesh.visible = len(faces) > 0
        mesh.vertices = vertices.astype(np.float32)
        if len(faces) and not np.array_equal(mesh.faces, faces):
            mesh.faces = faces.astype(np.uint32)

    def arrange() -> None:
        moved = middles[0] - middles[min(int(frame.value), last)] if follow.value else np.zeros(3)
        for index, (name, group) in enumerate(groups.items()):
            group.visible = shown[name].value
            group.position = tuple(moved + index * step * apart.value)
        # if the rows are drawn over each other, only the first visible object is shown
        alone = next((name for name in rows if shown[name].value), None)
        for name in rows:
            meshes[f"/{name}/object"].visible = apart.value or name == alone

    frame.on_update(lambda _: draw())
    for box in (apart, follow, *shown.values()):
        box.on_update(lambda _: arrange())
    up.on_update(lambda _: server.scene.set_up_direction(UPS[up.value]))
    server.scene.set_up_direction(UPS[up.value])
    draw()
    return Viewer(server, frame, play, groups, meshes)


def _painted(surface: Surface, distances: Float[np.ndarray, "K"] | None) -> dict[str, Int[np.ndarray, "F 3"]]:
    """Faces of a hand in contact, deeper inside the object, and neither, as a mesh in the browser has one colour.

    `distances` of the vertices, metres, negative inside; None: all faces are skin.
    """
    if distances is None:
        return {"skin": surface.faces}
    corners = distances[surface.faces]
    inside = (corners < -CONTACT_SAMPLE_M).any(axis=1)
    contact = (np.abs(corners) <= CONTACT_SAMPLE_M).any(axis=1) & ~inside
    kinds = {"skin": ~inside & ~contact, "contact": contact, "inside": inside}
    return {name: surface.faces[kind] for name, kind in kinds.items()}


def _legend(rows: Rows) -> str:
    """Legend of the colours, as markdown."""
    colors = {name: ROW_COLORS.get(name, OTHER_COLOR) for name in rows}
    colors |= {"in contact (within 2 mm)": tuple(CONTACT_COLOR), "deeper inside the object": tuple(DEEP_COLOR)}
    codes = {name: "#" + "".join(f"{int(255 * value):02x}" for value in color) for name, color in colors.items()}
    return "\n\n".join(f'<span style="color:{code}">&#9632;</span> {name}' for name, code in codes.items())
