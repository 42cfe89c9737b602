"""Damaged and malicious files: each is either read or refused with a one-line error."""

import contextlib
import io
import os
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toch_jax.base.errors import InputError
from toch_jax.base.files import LARGEST_FILE
from toch_jax.pipeline import refine
from toch_jax.sequence.file import load_sequence

Record = dict[str, np.ndarray]

N_FILES = 2000
N_REPAIRED = 4
"""Number of the loaded files that are also repaired, as the fit takes seconds."""
ODD_VALUES = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-40, 1e30, 1e300, 2.0**63)
ODD_DTYPES = ("f2", "f4", ">f8", "i1", "u8", "c16", "?", "U3", "S4", "M8[s]", "V4")


def _packed(record: Record, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", compression) as archive:
        for key, value in record.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, value, allow_pickle=True)
            archive.writestr(f"{key}.npy", member.getvalue())
    return whole.getvalue()


def _bytes_changed(rng: np.random.Generator, content: bytes, start: int = 0) -> bytes:
    """The content with some bytes changed, removed, inserted or repeated, none before `start`."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        at, length = int(rng.integers(start, len(data))), int(rng.integers(1, 9))
        match rng.integers(4):
            case 0:
                data[at] ^= 1 << rng.integers(8)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = rng.bytes(length)
            case 3:
                data[at : at + length] = b"\xff" * length
    return bytes(data)


def _header_changed(rng: np.random.Generator, record: Record) -> bytes:
    """A file with a changed .npy header of one array, or changed zip fields; all checksums are right."""
    whole = io.BytesIO()
    chosen = rng.choice(list(record))
    with zipfile.ZipFile(whole, "w") as archive:
        for key, value in record.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, value)
            content = member.getvalue()
            if key == chosen:
                content = _bytes_changed(rng, content[:128]) + content[128:]
            archive.writestr(f"{key}.npy", content)
    content = whole.getvalue()
    if rng.random() < 0.5:
        place = content.rindex(b"PK\x01\x02") if rng.random() < 0.5 else content.index(b"PK\x03\x04")
        head = bytearray(content)
        head[place + int(rng.integers(4, 46))] = int(rng.integers(256))
        content = bytes(head)
    return content


def _values_changed(rng: np.random.Generator, record: Record) -> bytes:
    """A file with one array of another type or shape, with unusual values, or missing."""
    changed = dict(record)
    for key in rng.choice(list(record), rng.integers(1, 3), replace=False):
        value = np.array(record[key])
        match rng.integers(7):
            case 0:
                del changed[key]
                continue
            case 1 if value.dtype.kind in "fi":
                wide = value.astype(np.float64)
                some = rng.random(wide.shape) < rng.choice([0.01, 0.3, 1.0])
                value = np.where(some, rng.choice(ODD_VALUES), wide)
            case 2 if value.dtype.kind in "fi":
                value = value * rng.choice([0.0, 1e-6, 0.01, 100.0, 1000.0])
            case 3:
                axis = int(rng.integers(value.ndim)) if value.ndim else None
                value = value[None] if axis is None else np.delete(value, slice(int(rng.integers(3)), None), axis)
            case 4:
                value = value.reshape(-1) if rng.random() < 0.5 else value[None]
            case 5:
                value = np.array([{"a": value}, None], dtype=object)
            case _:
                with np.errstate(all="ignore"):
                    try:
                        value = value.astype(rng.choice(ODD_DTYPES))
                    except (ValueError, TypeError):
                        value = np.array("\x1b[31m\n\ud83d\ude00")
        changed[str(key)] = value
    return _packed(changed)


def _damaged(rng: np.random.Generator, record: Record) -> bytes:
    match rng.integers(4):
        case 0:
            return _bytes_changed(rng, _packed(record, int(rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))))
        case 1:
            return _header_changed(rng, record)
        case _:
            return _values_changed(rng, record)


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "error::RuntimeWarning", "ignore:Duplicate name:UserWarning", "ignore:Reading `.npy` or `.npz`:UserWarning"
)
def test_damaged_files_are_read_or_refused_in_lines(tmp_path: Path, make_record: Callable[..., Record]) -> None:
    seed = int(os.environ.get("FUZZ_SEED", np.random.SeedSequence().entropy % 2**32))  # type: ignore[operator]
    print(f"FUZZ_SEED={seed}")
    rng = np.random.default_rng(seed)
    records = []
    for keys in (("joints", "vertices"), ("vertices",), ()):
        record = make_record() | {"hand_model": np.array("open")}
        records.append({key: value for key, value in record.items() if key[5:] not in keys and key != "truth_joints"})
    path, repaired, n_refused = tmp_path / "clip.npz", 0, 0
    for number in range(N_FILES):
        path.write_bytes(_damaged(rng, records[number % len(records)]))
        try:
            sequence = load_sequence(path)
        except InputError as error:
            n_refused += 1
            for line in str(error).splitlines():
                assert line.startswith(f"{path}: "), (seed, number, line)
                assert line.isprintable(), (seed, number, line)
            continue
        except Exception as error:
            raise AssertionError(f"FUZZ_SEED={seed}, file {number}") from error
        if repaired < N_REPAIRED:
            repaired += 1
            with contextlib.suppress(InputError):
                refine(sequence, None)
    assert N_FILES / 3 < n_refused < N_FILES
    assert repaired == N_REPAIRED


@pytest.mark.parametrize(("offset", "value"), [(4, 99), (10, 93), (10, 12), (8, 1)])
def test_zip_fields_that_no_reader_knows(tmp_path: Path, record: Record, offset: int, value: int) -> None:
    """Changes the required version, the compression method or the encryption bit in both headers of the first array."""
    content = bytearray(_packed(record, zipfile.ZIP_STORED))
    place = content.index(b"PK\x03\x04")
    content[place + offset - (2 if offset > 4 else 0)] = value
    if offset > 4:
        content[content.index(b"PK\x01\x02") + offset] = value
    else:
        content[content.index(b"PK\x01\x02") + 6] = value
    (tmp_path / "clip.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"^[^\n]*clip.npz: [^\n]*expected a whole .npz file[^\n]*$"):
        load_sequence(tmp_path / "clip.npz")


@pytest.mark.parametrize("claim", [(1, 10**9, 21, 3), (1, 10**30, 21, 3), (2**62,), (-1,)])
def test_a_header_that_claims_more_than_there_is(tmp_path: Path, record: Record, claim: tuple[int, ...]) -> None:
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": claim})
    with zipfile.ZipFile(tmp_path / "clip.npz", "w") as archive:
        archive.writestr("hand_joints.npy", member.getvalue() + bytes(1000))
    with pytest.raises(InputError, match=r"^[^\n]*clip.npz: hand_joints: expected [^\n]* found 1000 bytes$"):
        load_sequence(tmp_path / "clip.npz")


def test_a_small_file_that_unpacks_to_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "clip.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("hand_joints.npy", "w") as file:
        for _ in range(LARGEST_FILE // 2**24 + 1):
            file.write(bytes(2**24))
    assert path.stat().st_size < 2**22
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"clip.npz: file: expected arrays of at most 1.1 GB, found 1.09 GB$"):
        load_sequence(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**17


def test_arrays_however_they_lie_in_memory(tmp_path: Path, record: Record) -> None:
    """Fortran order, big endian and half precision give the same sequence."""
    other = {key: np.array(value, order="F") for key, value in record.items()}
    other["hand_pose"] = other["hand_pose"].astype(">f8")
    other["object_faces"] = other["object_faces"].astype("<i2")
    other["hand_valid"] = np.ones((1, 6), bool)
    (tmp_path / "clip.npz").write_bytes(_packed(record))
    (tmp_path / "other.npz").write_bytes(_packed(other))
    one, two = load_sequence(tmp_path / "clip.npz"), load_sequence(tmp_path / "other.npz")
    assert one.hands.params is not None
    assert two.hands.params is not None
    np.testing.assert_array_equal(one.hands.params.pose, two.hands.params.pose)
    np.testing.assert_array_equal(one.hands.joints, two.hands.joints)
    np.testing.assert_array_equal(one.object_faces, two.object_faces)
