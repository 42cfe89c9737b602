"""Where the recordings of each data set of annotated video lie in its folder, and in which split each is."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from toch_jax.base.errors import bad_input
from toch_jax.datasets.spec import DatasetSpec
from toch_jax.trackers.gigahands import tracked_objects
from toch_jax.trackers.hocap import object_names
from toch_jax.trackers.oakink2 import recorded_objects
from toch_jax.trackers.source import Table, open_source

VALIDATION_IN = 10
"""One of how many objects of OakInk that are not for tests is for validation."""


@dataclass(frozen=True)
class Annotation:
    """One recording, with one of its objects."""

    id: str
    """Unique; used as a file name."""
    split: str
    path: Path
    object_key: str | None = None


def _split_of(spec: DatasetSpec, key: str) -> str:
    """The split whose keys have this one; what is in none is for training."""
    return next((split for split, keys in spec.splits.items() if key in keys), "train")


def _listed(spec: DatasetSpec, path: Path) -> list[str]:
    """The lines of a set's list of splits. Raises InputError."""
    if not path.is_file():
        raise bad_input(path, "file", f"a list of splits ({spec.how_to_get})", "nothing")
    content = open_source(path).content
    lines = content.text.splitlines() if isinstance(content, Table) else content
    if not all(isinstance(line, str) for line in lines):
        raise bad_input(path, "file", "lines of text", type(lines[0]).__name__)
    return lines


def ho3d(spec: DatasetSpec, source: Path) -> Iterator[Annotation]:
    """train/<sequence>, by the letters that its name begins with; the hands of evaluation/ are not public."""
    for path in sorted((source / "train").glob("*/meta")):
        name = path.parent.name
        yield Annotation(name, _split_of(spec, name.rstrip("0123456789")), path.parent)


def dexycb(spec: DatasetSpec, source: Path) -> Iterator[Annotation]:
    """<subject>/<sequence>: a protocol says, by the place of each among the sorted folders, what is in which split.

    With a protocol that names cameras there is a recording for each of them, before that camera, else one in the world.

    Raises InputError if a subject has not all its sequences: their places would be others.
    """
    facts: Any = spec.extra
    for number, subject in enumerate(facts["subjects"]):
        folders = sorted(path.parent for path in (source / subject).glob("*/meta.yml"))
        if folders and len(folders) != facts["sequences"]:
            raise bad_input(source / subject, "folders", f"{facts['sequences']} sequences", str(len(folders)))
        for place, folder in enumerate(folders):
            for split, rule in facts["protocol"].items():
                wanted = (("subjects", number), ("of_each_grasp", place % 5), ("grasps", place // 5))
                if not all(each in rule.get(key, [each]) for key, each in wanted):
                    continue
                if "cameras" not in rule:
                    yield Annotation(f"{subject}_{folder.name}", split, folder)
                for serial in (facts["cameras"][camera] for camera in rule.get("cameras", ())):
                    yield Annotation(f"{subject}_{folder.name}_{serial}", split, folder / serial)


def hocap(spec: DatasetSpec, source: Path) -> Iterator[Annotation]:
    """subject_*/<sequence>, once for each object."""
    for path in sorted(source.glob("subject_*/*/meta.yaml")):
        folder = path.parent
        for name in object_names(folder):
            split = _split_of(spec, folder.parent.name)
            yield Annotation(f"{folder.parent.name}_{folder.name}_{name}", split, folder, name)


def h2o(spec: DatasetSpec, source: Path) -> Iterator[Annotation]:
    """<subject>/<place>/<take>/cam4; copies of the view of the head alone are called <subject>_ego."""
    for path in sorted(source.glob("subject*/*/*/cam4")):
        subject, place, take = path.relative_to(source).parts[:3]
        subject = subject.removesuffix("_ego")
        yield Annotation(f"{subject}_{place}_{take}", _split_of(spec, f"{subject}/{place}"), path)


def hoi4d(spec: DatasetSpec, source: Path) -> Iterator[Annotation]:
    """handpose/refinehandpose_right/<seven folders>, of which the third is the category."""
    root = source / "handpose" / "refinehandpose_right"
    for path in sorted(root.glob("/".join("*" * 7))):
        names = path.relative_to(root).parts
        yield Annotation("_".join(names), _split_of(spec, names[2]), path)


def contactpose(spec: DatasetSpec, source: Path) -> Iterator[Annotation]:
    """full<participant>_<intent>/<object>: a split has objects or participants."""
    for path in sorted(source.glob("full*_*/*/annotations.json")):
        folder = path.parent
        participant = folder.parent.name.removeprefix("full").partition("_")[0]
        key = participant if spec.extra["split_by"] == "participant" else folder.name
        yield Annotation(f"{folder.parent.name}_{folder.name}", _split_of(spec, key), folder)


def taco(spec: DatasetSpec, source: Path) -> Iterator[Annotation]:
    """Hand_Poses/<triplet>/<sequence>, once for the tool and once for the target; its authors' list has the splits, of
    whose training days one is for validation. Sequences of another protocol's tests are left out.

    Raises InputError if the list is missing, or has not all sequences.
    """
    listed = source / str(spec.extra["list"])
    names = dict(line.strip().split(",", 1) for line in _listed(spec, listed) if "," in line)
    for path in sorted((source / "Hand_Poses").glob("*/*/right_hand.pkl")):
        folder = path.parent
        if folder.name not in names:
            raise bad_input(listed, folder.name, "the split of this sequence", "none")
        name, day = names[folder.name], folder.name.partition("_")[0]
        split = _split_of(spec, day if name == "train" else name)
        if split != "train" or name == "train":
            for role in ("tool", "target"):
                yield Annotation(f"{folder.name}_{role}", split, folder, role)


def oakink(spec: DatasetSpec, source: Path) -> Iterator[Annotation]:
    """image/anno/general_info/<sequence>__<time>__<hand>__<frame>__<camera>.pkl, before one camera, as all are in the
    world. A handover's two persons are two recordings.

    What is for tests is in its authors' list; of the other objects every tenth or so, by the checksum of its name, is
    for validation. Raises InputError if the list is missing.
    """
    anno = source / "image" / "anno"
    listed = anno / "split" / str(spec.extra["list"]) / "seq_test.json"
    if not listed.is_file():
        raise bad_input(listed, "file", "OakInk's list of what is for tests", "nothing")
    tested = {str(entry[0]) for entry in open_source(listed).content if isinstance(entry, list) and entry}
    first: dict[tuple[str, ...], Path] = {}
    for path in sorted((anno / "general_info").glob("*__*__*__*__*.pkl")):
        sequence, time, hand = path.stem.split("__")[:3]
        first.setdefault((sequence, time, hand), path)
    for (sequence, time, hand), path in first.items():
        item = sequence.partition("_")[0]
        held_out = zlib.crc32(item.encode()) % VALIDATION_IN == 0
        split = "test" if f"{sequence}/{time}" in tested else "val" if held_out else "train"
        yield Annotation(f"{sequence}__{time}__{hand}", split, path)


def oakink2(spec: DatasetSpec, source: Path) -> Iterator[Annotation]:
    """anno_preview/<scene>++<sequence>.pkl, once for each object; the lists of its authors' TaMF have the splits.

    Raises InputError if a list is missing.
    """
    splits: dict[str, str] = {}
    for split in ("val", "test"):
        lines = _listed(spec, source / "split" / f"{split}.txt")
        splits |= {line.strip().replace("/", "++"): split for line in lines}
    for path in sorted((source / "anno_preview").glob("*.pkl")):
        for name in recorded_objects(path):
            place = name.replace("@", "_")
            yield Annotation(f"{path.stem}_{place}", splits.get(path.stem, "train"), path, name)


def hograspnet(spec: DatasetSpec, source: Path) -> Iterator[Annotation]:
    """labeling_data/<date>_<subject>_obj_<object>_grasp_<grasp>/<trial>: by trial, object or grasp."""
    for sequence in sorted((source / "labeling_data").glob("*_obj_*_grasp_*")):
        _, _, _, item, _, grasp, *_ = sequence.name.split("_")
        trials = sorted(path for path in sequence.iterdir() if path.is_dir())
        for place, trial in enumerate(trials):
            key = {"trial": str(place), "object": item, "grasp": grasp}[str(spec.extra["split_by"])]
            yield Annotation(f"{sequence.name}_{trial.name}", _split_of(spec, key), trial)


def gigahands(spec: DatasetSpec, source: Path) -> Iterator[Annotation]:
    """hand_poses/<session>/params/<sequence>.json, once for each object whose poses lie in object_poses, by the
    participant that the session's name begins with."""
    for path in sorted((source / "hand_poses").glob("*/params/*.json")):
        session = path.parent.parent.name
        for name in tracked_objects(path):
            split = _split_of(spec, session.partition("-")[0])
            yield Annotation(f"{session}_{path.stem}_{name}", split, path, name)


SETS: Mapping[str, Callable[[DatasetSpec, Path], Iterator[Annotation]]] = MappingProxyType(
    {
        **{"ho3d": ho3d, "dexycb": dexycb, "hocap": hocap, "h2o": h2o, "hoi4d": hoi4d, "contactpose": contactpose},
        **{"taco": taco, "oakink": oakink, "oakink2": oakink2, "hograspnet": hograspnet, "gigahands": gigahands},
    }
)
"""How each set's recordings are found, by the first word of the name of its data sets."""
