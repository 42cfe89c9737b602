"""HOI4D: a hand, and an object by Euler angles."""

import dataclasses
import json

import numpy as np
import pytest
from support import annotation_files as written
from support.annotated_hand import near, posed_as
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading

pytestmark = pytest.mark.usefixtures("open_mano")


def test_hoi4d(tmp_path):
    """Euler angles about the object's own axes; a frame without files; one that is not effective."""
    true = clip("right")
    folder = written.write_hoi4d(tmp_path, true, lost=5, unsure=7)
    tracked = read_tracked(folder)
    assert (tracked.format, tracked.sides, tracked.fps) == ("hoi4d", ("right",), 15)
    assert (tracked.object_name, tracked.object_mesh.name) == ("Mug 005", "005.obj")
    kept = np.arange(true.n_frames) != 5
    near(tracked.mano.pose[0][kept], true.pose[kept])
    assert np.isnan(tracked.mano.transl[0, 5]).all()
    known = kept & (np.arange(28) != 7)
    near(tracked.object_poses[known, :3, :3], true.object_poses[known, :3, :3])
    assert np.isnan(tracked.object_poses[[5, 7]]).all()
    assert tracked.camera.intrinsics[0].tolist() == [1376.8, 0, 967]
    # the mesh is moved to the centre of its box, whose place is annotated
    middle = true.mesh.bounds.mean(axis=0)
    moved = true.object_poses.copy()
    moved[:, :3, 3] += true.object_poses[:, :3, :3] @ middle
    mesh = true.mesh.copy().apply_translation(-middle)
    posed_as(folder, dataclasses.replace(true, object_poses=moved, mesh=mesh))


def test_hoi4d_of_a_hinged_object(tmp_path):
    folder = written.write_hoi4d(tmp_path, clip("right"), lost=5, unsure=7)
    for file in tmp_path.glob("HOI4D_annotations/**/*.json"):
        content = json.loads(file.read_text())
        (item,) = content.pop("dataList")
        content["objects"] = [item, {**item, "center": {"x": 1, "y": 2, "z": 3}}]
        file.write_text(json.dumps(content))
    with pytest.raises(InputError, match="--object-key: expected which of 2 parts, from 0, found none"):
        read_tracked(folder)
    assert read_tracked(folder, Reading(object_key="1")).object_poses[0, :3, 3].tolist() == [1, 2, 3]
