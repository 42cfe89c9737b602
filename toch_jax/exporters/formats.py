"""The formats in which a clip can be written, by name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from toch_jax.exporters import (
    aria,
    bvh,
    contact,
    contact_image,
    dex_retargeting,
    dyn_hamr,
    gltf,
    hamer,
    haptic,
    hawor,
    hold,
    hot3d,
    keypoints,
    leap,
    lerobot,
    maniptrans,
    mano,
    mediapipe,
    meshes,
    object_poses,
    plain,
    soma,
    spider,
    usd,
    v2d,
    vitra,
)
from toch_jax.exporters.endings import check_target
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence

Writer = Callable[[Path, Sequence, Writing], tuple[str, ...]]
"""Writes a sequence to a path, whole or not at all. Returns remarks, a phrase each; raises InputError."""

WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        "mano-smplx": mano.write_smplx,
        "mano-manopth": mano.write_manopth,
        "keypoints": keypoints.write_keypoints,
        "contact": contact.write_contact,
        "contact-image": contact_image.write_contact_image,
        "object-poses": object_poses.write_object_poses,
        "foundationpose": object_poses.write_foundationpose,
        "gltf": gltf.write_glb,
        "usd": usd.write_usd,
        "bvh": bvh.write_bvh,
        "obj": meshes.write_obj,
        "ply": meshes.write_ply,
        "hamer": hamer.write_hamer,
        "wilor-mini": hamer.write_wilor_mini,
        "hawor": hawor.write_hawor,
        "dyn-hamr": dyn_hamr.write_dyn_hamr,
        "vitra": vitra.write_vitra,
        "v2d-tracks": v2d.write_tracks,
        "v2d-mano": v2d.write_params,
        "haptic": haptic.write_haptic,
        "hold": hold.write_hold,
        "hot3d": hot3d.write_hot3d,
        "aria": aria.write_aria,
        "leap": leap.write_leap,
        "plain": plain.write_plain,
        "mediapipe": mediapipe.write_mediapipe,
        "dex-retargeting": dex_retargeting.write_dex_retargeting,
        "lerobot": lerobot.write_lerobot,
        "spider": spider.write_spider,
        "maniptrans": maniptrans.write_maniptrans,
        "soma": soma.write_soma,
    }
)
"""By the names of `endings.ENDINGS`."""


def export_sequence(path: str | Path, sequence: Sequence, to: str, writing: Writing | None = None) -> tuple[str, ...]:
    """Write a sequence in the format `to` (a name of `WRITERS`). Returns remarks on what was left out or assumed.

    Raises InputError if the format or the file's ending is unknown, or if the sequence lacks what the format needs.
    """
    path = Path(path)
    check_target(path, to)
    path.parent.mkdir(parents=True, exist_ok=True)
    return WRITERS[to](path, sequence, writing or Writing())
