import sys
import urllib.request
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.errors import InputError
from toch_jax.evaluate.pose import PosedHand
from toch_jax.object.motion import motion_from_axis_angle
from toch_jax.sequence.types import Sequence
from toch_jax.view.viewer import open_viewer

HandAt = Callable[[float], PosedHand]


def test_it_serves_and_follows_the_slider(sequence: Sequence, hand_at: HandAt) -> None:
    viewer = open_viewer(sequence, {"before": [hand_at(0.04)], "after": [hand_at(0.05)]}, port=0)
    try:
        with urllib.request.urlopen(f"http://localhost:{viewer.server.get_port()}", timeout=20) as page:
            assert page.status == 200
        assert set(viewer.meshes) == {f"/{row}/{what}" for row in ("before", "after") for what in ("object", "hand0")}
        first = {name: mesh.vertices.mean(axis=0) for name, mesh in viewer.meshes.items()}
        np.testing.assert_allclose(first["/after/hand0"] - first["/before/hand0"], [0, 0.01, 0], atol=1e-6)
        # all of it is before the camera, and fills a good part of what it sees (75 degrees)
        camera = viewer.server.initial_camera
        eye, way = np.asarray(camera.position), np.asarray(camera.look_at) - np.asarray(camera.position)
        corners = np.concatenate([mesh.vertices for mesh in viewer.meshes.values()]) - eye
        angle = np.degrees(np.arccos(corners @ way / np.linalg.norm(corners, axis=1) / np.linalg.norm(way)))
        assert 8 < angle.max() < 37
        viewer.frame.value = 7
        for name, mesh in viewer.meshes.items():
            np.testing.assert_allclose(mesh.vertices.mean(axis=0) - first[name], [0.2, 0, 0], atol=1e-6)
    finally:
        viewer.server.stop()


def test_two_hands_and_a_hinged_object(sequence: Sequence, hand_at: HandAt) -> None:
    lid = np.asarray(sequence.object_vertices) + np.array([0, 0, 0.1])
    rising = np.stack([np.asarray(sequence.object_motion.translation[0])] * 2)
    rising[1, :, 2] += np.linspace(0, 0.07, 8)
    hinged = sequence.replace(
        hand_side=("right", "left"),
        hand_valid=jnp.ones((2, 8), dtype=bool),
        object_vertices=jnp.concatenate([sequence.object_vertices, jnp.asarray(lid)]),
        object_faces=jnp.concatenate([sequence.object_faces, sequence.object_faces + 8]),
        object_vertex_part=jnp.repeat(jnp.arange(2), 8),
        object_motion=motion_from_axis_angle(np.zeros_like(rising), rising),
    )
    rows = {"before": [hand_at(0.04), hand_at(-0.04)], "after": [hand_at(0.05), hand_at(-0.06)]}
    viewer = open_viewer(hinged, rows, port=0)
    try:
        things = ("object", "hand0", "hand1")
        assert set(viewer.meshes) == {f"/{row}/{what}" for row in rows for what in things}
        first = {name: mesh.vertices.copy() for name, mesh in viewer.meshes.items()}
        np.testing.assert_allclose(
            (first["/after/hand1"] - first["/before/hand1"]).mean(axis=0), [0, -0.02, 0], atol=1e-6
        )
        viewer.frame.value = 7
        moved = {name: mesh.vertices - first[name] for name, mesh in viewer.meshes.items()}
        for row in rows:
            np.testing.assert_allclose(moved[f"/{row}/hand1"].mean(axis=0), [0.2, 0, 0], atol=1e-6)
            np.testing.assert_allclose(moved[f"/{row}/object"][:8].mean(axis=0), [0.2, 0, 0], atol=1e-6)
            np.testing.assert_allclose(moved[f"/{row}/object"][8:].mean(axis=0), [0.2, 0, 0.07], atol=1e-6)
    finally:
        viewer.server.stop()


def test_without_viser_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, sequence: Sequence, hand_at: HandAt
) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(InputError, match=r"toch-jax\[view\]"):
        open_viewer(sequence, {"before": [hand_at(0.04)]}, port=0)
