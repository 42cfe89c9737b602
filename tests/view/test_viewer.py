import sys
import urllib.request
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.base.errors import InputError
from toch_jax.object.model import motion_from_axis_angle
from toch_jax.sequence.derived import PosedHand
from toch_jax.sequence.types import Sequence
from toch_jax.view.viewer import open_viewer

HandAt = Callable[[float], PosedHand]


def test_it_serves_and_follows_the_slider(sequence: Sequence, hand_at: HandAt) -> None:
    viewer = open_viewer(sequence, {"before": [hand_at(0.045)], "after": [hand_at(0.055)]}, port=0)
    try:
        with urllib.request.urlopen(f"http://localhost:{viewer.server.get_port()}", timeout=20) as page:
            assert page.status == 200
        first = {name: mesh.vertices.mean(axis=0) for name, mesh in viewer.meshes.items()}
        np.testing.assert_allclose(first["/after/hand0/skin"] - first["/before/hand0/skin"], [0, 0.01, 0], atol=1e-6)
        # everything is in front of the camera and fills a large part of its field of view (75 degrees)
        camera = viewer.server.initial_camera
        eye, way = np.asarray(camera.position), np.asarray(camera.look_at) - np.asarray(camera.position)
        places = [mesh.vertices + viewer.groups[name.split("/")[1]].position for name, mesh in viewer.meshes.items()]
        corners = np.concatenate(places) - eye
        angle = np.degrees(np.arccos(corners @ way / np.linalg.norm(corners, axis=1) / np.linalg.norm(way)))
        assert 8 < angle.max() < 37
        viewer.frame.value = 7
        for name, mesh in viewer.meshes.items():
            np.testing.assert_allclose(mesh.vertices.mean(axis=0) - first[name], [0.2, 0, 0], atol=1e-6)
        # the rows move opposite to the object, by the same distance
        np.testing.assert_allclose(viewer.groups["before"].position, [-0.2, 0, 0], atol=1e-6)
    finally:
        viewer.server.stop()


def test_faces_are_painted_by_what_they_touch(sequence: Sequence, hand_at: HandAt) -> None:
    """A capsule of radius 20 mm beside a box that reaches 30 mm: 10 mm deep, touching, and away."""
    rows = {"before": [hand_at(0.04)], "after": [hand_at(0.051)], "truth": [hand_at(0.06)]}
    viewer = open_viewer(sequence, rows, port=0)
    try:
        shown = {name for name, mesh in viewer.meshes.items() if mesh.visible and "hand" in name}
        kinds = {row: {name.split("/")[-1] for name in shown if name.startswith(f"/{row}/")} for row in rows}
        assert kinds == {
            "before": {"skin", "contact", "inside"},
            "after": {"skin", "contact"},
            "truth": {"skin"},
        }
        n_faces = len(hand_at(0.04).faces)
        for row in rows:
            hand = [mesh for name, mesh in viewer.meshes.items() if name in shown and name.startswith(f"/{row}/")]
            assert sum(len(mesh.faces) for mesh in hand) == n_faces
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
        first = {name: mesh.vertices.copy() for name, mesh in viewer.meshes.items()}
        np.testing.assert_allclose(
            (first["/after/hand1/skin"] - first["/before/hand1/skin"]).mean(axis=0), [0, -0.02, 0], atol=1e-6
        )
        viewer.frame.value = 7
        moved = {name: mesh.vertices - first[name] for name, mesh in viewer.meshes.items()}
        for row in rows:
            np.testing.assert_allclose(moved[f"/{row}/hand1/skin"].mean(axis=0), [0.2, 0, 0], atol=1e-6)
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
