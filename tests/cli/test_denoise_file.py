"""The text that `toch denoise` prints for a clip and for a folder."""

import pytest

from toch_jax.base.errors import InputError
from toch_jax.cli.denoise_file import FolderReport, Report, folder_text, report_text
from toch_jax.metrics.clip import TABLE, summed_up

NAN = float("nan")


def _metrics(**given: float) -> dict[str, float]:
    return dict.fromkeys((*TABLE, "frames"), NAN) | {"contact_frames": 0.0, "frames": 10.0} | given


def _report(before: dict[str, float], after: dict[str, float], notes: tuple[str, ...] = (), lost: int = 0) -> Report:
    return Report({"before": before, "after": after}, notes, lost, frames=10, seconds=1.5, picture=None)


def test_counts_are_summed_worst_is_the_worst_and_the_rest_are_means_over_clips() -> None:
    total = summed_up(
        [
            _metrics(mpjpe=10.0, penetration_depth_max=3.0, contact_frames=4.0),
            _metrics(mpjpe=20.0, penetration_depth_max=7.0, contact_frames=6.0, frames=30.0),
            _metrics(mpjpe=NAN, penetration_depth_max=NAN),
        ]
    )
    assert total["mpjpe"] == 15.0
    assert total["penetration_depth_max"] == 7.0
    assert (total["contact_frames"], total["frames"]) == (10.0, 50.0)
    assert total["mpvpe"] != total["mpvpe"]


def test_a_folder_ends_with_a_table_over_all_clips_and_the_names_of_refused_files() -> None:
    one = _report(_metrics(mpjpe=10.0), _metrics(mpjpe=4.0))
    two = _report(_metrics(mpjpe=30.0), _metrics(mpjpe=8.0))
    refused = {name: InputError(f"{name}: hand_pose: wrong") for name in ("c.npz", "d.npz")}
    text = folder_text(FolderReport({"a.npz": one, "b.npz": two}, refused, ("e.npz",)))
    row = next(line for line in text.splitlines() if "MPJPE" in line)
    assert row.split()[-2:] == ["20.00", "6.00"]
    assert text.startswith("all 2 clips")
    assert text.endswith("2 written, 1 were there already, 2 refused: c.npz, d.npz")


@pytest.mark.parametrize("clips", [0, 1])
def test_no_table_over_less_than_two_clips(clips: int) -> None:
    written = dict.fromkeys(["a.npz"][:clips], _report(_metrics(), _metrics()))
    assert folder_text(FolderReport(written, {}, ())) == f"{clips} written, 0 were there already, 0 refused"


def test_remarks_on_the_data_are_printed() -> None:
    text = report_text(_report(_metrics(), _metrics(), notes=("hand 0: frames 3-5 jump",), lost=3))
    assert "note: hand 0: frames 3-5 jump" in text.splitlines()
    assert "3 lost frames were filled in" in text
    assert text.splitlines()[-1] == "10 frames repaired in 1.5 s"
