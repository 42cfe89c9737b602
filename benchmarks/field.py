"""Speed of the contact field against trimesh + embree on the same frames: `python -m benchmarks.field`.

"TOCH's rule" computes with trimesh what TOCH's own code
computes in every frame: the samples inside the hand, and for each sample the first hit of its ray with the hand and
with the object. "casts alone" is the least work of embree for the same field: building its tree and casting two rays
for each sample, without self-occlusion of the object and inside test.
"""

from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import numpy as np
import trimesh
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
from scipy.spatial.transform import Rotation
from trimesh.ray.ray_pyembree import RayMeshIntersector

from benchmarks.timing import Race, benchmark
from toch_jax.field.contact_field import contact_field
from toch_jax.hand.files import load_hand
from toch_jax.hand.mesh import decimate
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel, ObjectMotion

FRAMES, SAMPLES = 30, 2000


def grasps(hand: HandModel, n_frames: int) -> jax.Array:
    """Hand vertices (T, V, 3), metres, around the z axis, with fingers bent by varying amounts."""
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.1, (n_frames, 15, 3))
    pose[:, :12, 2] += rng.uniform(0, 1.1, (n_frames, 1))
    params = HandParams(
        global_orient=jnp.zeros((n_frames, 3)),
        pose=jnp.asarray(pose.reshape(n_frames, 45), jnp.float32),
        betas=jnp.asarray(rng.normal(size=(n_frames, hand.shapedirs.shape[-1])), jnp.float32),
        transl=jnp.zeros((n_frames, 3)),
    )
    held = (
        np.asarray(skin_frames(hand, params)[0]) + np.array([-0.03, 0.055, 0]) + rng.normal(0, 0.01, (n_frames, 1, 3))
    )
    turn = Rotation.from_rotvec(rng.uniform(0, 6, (n_frames, 1)) * np.array([0, 0, 1])).as_matrix()
    return jnp.asarray(np.einsum("tab,tvb->tva", turn, held), jnp.float32)


def tochs_rule(hand: trimesh.Trimesh, body: trimesh.Trimesh, model: ObjectModel) -> np.ndarray:
    """Signed distances (metres) of one frame's samples to the hand along their normals; nan where the mask is false."""
    points, normals = np.asarray(model.samples.points, np.float64), np.asarray(model.samples.normals, np.float64)
    inside = hand.contains(points)
    directions = np.where(inside[:, None], -normals, normals)

    def first(mesh: trimesh.Trimesh, origins: np.ndarray) -> np.ndarray:
        _, ray, place = RayMeshIntersector(mesh).intersects_id(
            origins, directions, multiple_hits=False, return_locations=True
        )
        distance = np.full(len(points), np.inf)
        distance[ray] = np.linalg.norm(place - points[ray], axis=1)
        return distance

    distance, clearance = first(hand, points), first(body, points + 1e-4 * directions)
    observed = (distance < clearance) & (distance <= 0.1)
    return np.where(observed, np.where(inside, -distance, distance), np.nan)


def casts_alone(triangles: np.ndarray, points: np.ndarray, normals: np.ndarray) -> None:
    """Builds embree's tree of the triangles (F, 3, 3) and casts a ray from each point along +n and -n."""
    scene = rtcore_scene.EmbreeScene()
    TriangleMesh(scene, triangles)
    for directions in (normals, -normals):
        scene.run(points, directions, query="DISTANCE")


def race(name: str, hand: HandModel, body: trimesh.Trimesh, model: ObjectModel) -> Race:
    """Prints how well `contact_field` agrees with TOCH's rule, and lets both run."""
    rest = ObjectMotion(jnp.broadcast_to(jnp.eye(3), (1, FRAMES, 3, 3)), jnp.zeros((1, FRAMES, 3)))
    points, normals = np.array(model.samples.points), np.array(model.samples.normals)
    vertices, faces = grasps(hand, FRAMES), np.asarray(hand.faces)
    meshes = [np.asarray(each) for each in vertices]

    def ours() -> jax.Array:
        field = contact_field(vertices, hand.faces, hand.v_template, model, rest)
        return jax.block_until_ready(jnp.where(field.mask, field.distance, jnp.nan))

    def theirs() -> np.ndarray:
        return np.stack([tochs_rule(trimesh.Trimesh(each, faces, process=False), body, model) for each in meshes])

    def least() -> None:
        for each in meshes:
            casts_alone(each[faces], points, normals)

    def frames(run: Callable[[], object]) -> Callable[[], float]:
        def once() -> float:
            run()
            return FRAMES

        return once

    field, expected = np.asarray(ours()), theirs()
    agree = np.mean((np.isnan(field) & np.isnan(expected)) | (np.abs(field - expected) < 1e-5))
    print(f"{name}: agrees in {agree:.5f} of the samples")
    runs = {"contact_field": ours, "trimesh, TOCH's rule": theirs, "embree, casts alone": least}
    return Race(f"field of {len(points)} samples, {name}", "frame", {way: frames(run) for way, run in runs.items()})


def races() -> Iterable[Race]:
    """The open hand, full and decimated, around a mug."""
    body = trimesh.creation.annulus(r_min=0.036, r_max=0.04, height=0.1, sections=48)
    model = build_object(np.asarray(body.vertices), np.asarray(body.faces), n_samples=SAMPLES)
    for hand in (load_hand(), decimate(load_hand(), 1500)):
        yield race(f"hand of {len(hand.faces)} faces", hand, body, model)


if __name__ == "__main__":
    benchmark("field", races)
