"""The formats of trackers' files, by name, and which of them a file has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from toch_jax.base.errors import InputError, bad_input
from toch_jax.trackers import (
    aria,
    bvh,
    contactpose,
    data_juicer,
    dexcap,
    dexycb,
    dyn_hamr,
    egodex,
    fasthamer,
    fhab,
    frankmocap,
    gigahands,
    h2o,
    hamer,
    haptic,
    hawor,
    ho3d,
    hocap,
    hograspnet,
    hoi4d,
    hold,
    hot3d,
    hot3d_clips,
    hts,
    leap,
    lerobot,
    mediapipe,
    oakink,
    oakink2,
    plain,
    sam_body,
    taco,
    v2d,
    vitra,
)
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, open_source
from toch_jax.trackers.tracked import Tracked


@dataclass(frozen=True)
class Format:
    """A format: whether a file has it, by its content, and how it is read."""

    about: str
    fits: Callable[[Source], bool]
    read: Callable[[Source, Reading], Tracked]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "plain": Format("arrays of joints or MANO's vertices: npy, npz, JSON, text", plain.fits, plain.read),
        "hamer": Format("HaMeR's or WiLoR's detections: npz, pickle, JSON", hamer.fits_hamer, hamer.read_hamer),
        "wilor-mini": Format("WiLoR-mini's detections: pickle", hamer.fits_wilor_mini, hamer.read_wilor_mini),
        "hawor": Format("HaWoR's world_space_res.pth, or its folder", hawor.fits, hawor.read),
        "dyn-hamr": Format("Dyn-HaMR's *_world_results.npz", dyn_hamr.fits, dyn_hamr.read),
        "mediapipe": Format("MediaPipe Tasks' hand landmarks: JSON", mediapipe.fits, mediapipe.read),
        "vitra": Format("VITRA's episode: npy", vitra.fits, vitra.read),
        "v2d-tracks": Format("Video-to-Data's folder of tracks: JSON", v2d.fits, v2d.read),
        "v2d-mano": Format("Video-to-Data's mano_params*.npz", dyn_hamr.fits_params, dyn_hamr.read_params),
        "aria": Format("Project Aria's hand_tracking_results.csv", aria.fits, aria.read),
        "haptic": Format("HaPTIC's folder of pickles", haptic.fits, haptic.read),
        "bvh": Format("BVH of a glove or a suit, with --bone-map", bvh.fits, bvh.read),
        "hold": Format("HOLD's build/data.npy", hold.fits, hold.read),
        "leap": Format("Ultraleap's frames, version 6: JSON", leap.fits, leap.read),
        "hot3d-clips": Format("HOT3D-Clips' tar file, or its folder", hot3d_clips.fits, hot3d_clips.read),
        "hts": Format("Quest Hand Tracking Streamer's log: JSON, text", hts.fits, hts.read),
        "data-juicer": Format("the tags of Data-Juicer's HaWoR: JSON", data_juicer.fits, data_juicer.read),
        "sam-3d-body": Format("SAM 3D Body's persons: npz, pickle, JSON", sam_body.fits, sam_body.read),
        "fasthamer": Format("fasthamer's results: pickle, JSON", fasthamer.fits, fasthamer.read),
        "frankmocap": Format("FrankMocap's folder mocap of the hand demo", frankmocap.fits, frankmocap.read),
        "dexcap": Format("DexCap's folder of a recording", dexcap.fits, dexcap.read),
        "lerobot": Format("LeRobot's data: parquet", lerobot.fits, lerobot.read),
        "egodex": Format("EgoDex's episode: hdf5", egodex.fits, egodex.read),
        "hot3d": Format("HOT3D's folder, or its mano_hand_pose_trajectory.jsonl", hot3d.fits, hot3d.read),
        "oakink": Format("OakInk-Image's files in general_info, or one of them", oakink.fits, oakink.read),
        "oakink2": Format("OakInk2's file in anno_preview", oakink2.fits, oakink2.read),
        "hograspnet": Format("HOGraspNet's folder of a trial", hograspnet.fits, hograspnet.read),
        "gigahands": Format("GigaHands' params of a sequence: JSON", gigahands.fits, gigahands.read),
        "fhab": Format("First-Person Hand Action Benchmark's skeleton.txt, or its folder", fhab.fits, fhab.read),
        "taco": Format("TACO's folder of a sequence in Hand_Poses", taco.fits, taco.read),
        "ho3d": Format("HO-3D's or H2O-3D's folder of a sequence", ho3d.fits, ho3d.read),
        "dexycb": Format("DexYCB's folder of a sequence, or of one camera's labels", dexycb.fits, dexycb.read),
        "hocap": Format("HO-Cap's folder of a sequence", hocap.fits, hocap.read),
        "h2o": Format("H2O's folder of one camera of a sequence", h2o.fits, h2o.read),
        "hoi4d": Format("HOI4D's folder of a sequence in refinehandpose_right", hoi4d.fits, hoi4d.read),
        "contactpose": Format("ContactPose's folder of a grasp", contactpose.fits, contactpose.read),
    }
)


def read_tracked(path: str | Path, reading: Reading | None = None) -> Tracked:
    """The hands, and what else is there, in a tracker's file or folder.

    The format is that of `reading`, else the one that the content fits. Raises InputError if none or several fit, or if
    the file is not as its format says.
    """
    reading = reading or Reading()
    if reading.format is not None and reading.format not in FORMATS:
        raise bad_input(path, "--format", f"one of {', '.join(FORMATS)}", reading.format)
    source = open_source(path)
    name = reading.format or _recognised(source)
    if not FORMATS[name].fits(source):
        raise bad_input(path, "--format", f"a file of this format ({FORMATS[name].about})", _what(source))
    try:
        return FORMATS[name].read(source, reading)
    except InputError:
        raise
    except Exception as error:  # nested content of a file can be wrong in any way
        found = " ".join(f"{type(error).__name__}: {error}".split())
        raise bad_input(path, name, f"a whole file of this format ({FORMATS[name].about})", found) from error


def is_one_clip(folder: Path) -> bool:
    """Whether the folder has one of the formats, whatever its files are called."""
    source = open_source(folder)
    return any(each.fits(source) for each in FORMATS.values())


def _recognised(source: Source) -> str:
    fitting = [name for name, each in FORMATS.items() if each.fits(source)]
    # any file of a tracker may hold joints too
    fitting = [name for name in fitting if name != "plain"] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise bad_input(source.path, "--format", f"one of {' and '.join(fitting)}, which both fit", "none")
    raise bad_input(source.path, "format", f"a file of {', '.join(FORMATS)}", _what(source))


def _what(source: Source) -> str:
    if isinstance(source.content, dict):
        names = ", ".join(map(str, source.content))
        return f"a folder of {names}" if source.is_folder else f"the keys {names}"
    return f"a {type(source.content).__name__.lower()}"
