import sys
import urllib.request
from collections.abc import Callable

import numpy as np
import pytest

from toch_jax.errors import InputError
from toch_jax.evaluate.pose import PosedHand
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
        viewer.frame.value = 7
        for name, mesh in viewer.meshes.items():
            np.testing.assert_allclose(mesh.vertices.mean(axis=0) - first[name], [0.2, 0, 0], atol=1e-6)
    finally:
        viewer.server.stop()


def test_without_viser_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, sequence: Sequence, hand_at: HandAt
) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(InputError, match=r"toch-jax\[view\]"):
        open_viewer(sequence, {"before": [hand_at(0.04)]}, port=0)
