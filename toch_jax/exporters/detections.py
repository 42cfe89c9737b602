"""Detections of hands in single images, replaced where they stand in a tracker's file; see trackers/detections.py."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from toch_jax.exporters.like import as_given, frame_numbers
from toch_jax.trackers.detections import FRAME_KEYS, images, is_right, row_count
from toch_jax.trackers.source import Source, lengths
from toch_jax.trackers.tracked import Tracked

_MARK = "toch_jax.place"
"""Key of a detection's place in its file: which image, which record of it, which row of that."""
Row = dict[str, Any]


def with_hands(
    source: Source,
    tracked: Tracked,
    known: Bool[np.ndarray, "H T"],
    is_detection: Callable[[Any], bool],
    place: Callable[[Row], Float[np.ndarray, "3"] | None],
    change: Callable[[Row, int, int], Row],
) -> tuple[Any, int]:
    """The file's content with one detection of each hand in each frame that is `known`, changed by `change` (the old
    detection, hand, frame), and how many of these could not be added, as the file has no such image.

    A hand that a frame has not is made from that of the nearest frame that has it. Of several detections of a side the
    nearest to the last `place` (None: it has no hand) stands for the hand, the others are left out.
    """
    found, entries = _marked(source, is_detection)
    frame_of = frame_numbers(tracked)
    kept: dict[tuple[int, int], Row] = {}
    entry_of: dict[int, int] = {}
    last: dict[int, Float[np.ndarray, "3"]] = {}
    for position, (number, rows) in sorted(enumerate(found), key=lambda pair: pair[1][0]):
        frame = frame_of[number]
        if len(found) == len(entries):
            entry_of[frame] = position
        for hand, side in enumerate(tracked.sides):
            own = [
                (where, row)
                for row in rows
                if is_right(source.path, row) == (side == "right") and (where := place(row)) is not None
            ]
            if own:
                before = last.get(hand, own[0][0])
                last[hand], nearest = min(own, key=lambda each: float(np.linalg.norm(each[0] - before)))
                kept[hand, frame] = nearest
                entry_of.setdefault(frame, nearest[_MARK][0])
    new: dict[tuple[int, int], list[Row]] = {}
    added: dict[int, list[Row]] = {}
    left_out = 0
    numbers = {frame: number for number, frame in frame_of.items()}
    for frame in range(tracked.n_frames):
        for hand in np.flatnonzero(known[:, frame]).tolist():
            row = kept.get((hand, frame))
            if row is not None:
                changed = change(_unmarked(row), hand, frame)
                new.setdefault((row[_MARK][0], row[_MARK][1]), []).append(changed)
                continue
            own_frames = [other for own_hand, other in kept if own_hand == hand]
            template = _unmarked(kept[hand, min(own_frames, key=lambda other: abs(other - frame))])
            key = next((key for key in FRAME_KEYS if isinstance(_number(template.get(key)), int | float)), None)
            if key is not None:
                template = {**template, key: as_given(template[key], numbers[frame])}
            entry = entry_of.get(frame, len(entries) - 1 if key is not None else None)
            if entry is None:
                left_out += 1
            else:
                added.setdefault(entry, []).append(change(template, hand, frame))
    rebuilt = [
        _entry(old, [new.get((index, number), []) for number in range(len(_records(old, is_detection)))], added, index)
        for index, old in enumerate(entries)
    ]
    if is_detection(source.content):
        return rebuilt[0], left_out
    names = list(source.content) if isinstance(source.content, dict) else None
    return (dict(zip(names, rebuilt, strict=True)) if names else rebuilt), left_out


def _number(value: Any) -> Any:
    while lengths(value)[:1] == (1,):
        value = value[0]
    return value.item() if isinstance(value, np.generic) else value


def _records(entry: Any, is_detection: Callable[[Any], bool]) -> list[Row]:
    if is_detection(entry):
        return [entry]
    return list(entry) if isinstance(entry, list | tuple) else []


def _marked(source: Source, is_detection: Callable[[Any], bool]) -> tuple[list[tuple[int, list[Row]]], list[Any]]:
    """The rows of each image as `images` gives them, each with its place, and the entries that the places count."""
    content = source.content
    if is_detection(content):
        entries = [content]
    else:
        entries = list(content.values()) if isinstance(content, dict) else list(content)
    marked = []
    for index, entry in enumerate(entries):
        records = _records(entry, is_detection)
        places = [
            [[index, number, row] for row in range(count)] if (count := row_count(record)) > 1 else [index, number, 0]
            for number, record in enumerate(records)
        ]
        own = [{**record, _MARK: each} for record, each in zip(records, places, strict=True)]
        marked.append(own[0] if is_detection(entry) else own if own else entry)
    whole: Any = marked
    if is_detection(content):
        whole = marked[0]
    elif isinstance(content, dict):
        whole = dict(zip(content, marked, strict=True))
    return images(Source(source.path, whole), is_detection), entries


def _unmarked(row: Row) -> Row:
    return {key: value for key, value in row.items() if key != _MARK}


def _entry(old: Any, rows: list[list[Row]], added: dict[int, list[Row]], index: int) -> Any:
    """An image's entry with the rows of each of its records, and rows that are added."""
    more = added.get(index, [])
    if isinstance(old, dict) and rows and row_count(old) > 1:
        return _stacked(old, [*rows[0], *more], row_count(old))
    records = old if isinstance(old, list | tuple) else [old]
    built = [_stacked(record, own, row_count(record)) for record, own in zip(records, rows, strict=False) if own]
    if isinstance(old, dict) and len(built) == 1 and not more:
        return built[0]
    return old if not built and not more and not rows else [*built, *more]


def _stacked(record: Row, rows: list[Row], count: int) -> Row:
    """A record of `count` hands with other rows: the inverse of `trackers.detections.record_rows`."""
    if count == 1:
        return rows[0]
    found: Row = {}
    for key, value in record.items():
        own = [row[key] for row in rows if key in row]
        if isinstance(value, dict) and own:
            found[key] = _stacked(value, own, count)
        elif lengths(value)[:1] == (count,):
            if own:
                found[key] = np.stack(own).astype(value.dtype) if isinstance(value, np.ndarray) else own
        elif own:
            found[key] = own[0]
    return found
