"""Each script of examples/ runs in an empty folder and prints and writes what it claims to."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from matplotlib.image import imread

import toch_jax

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
NUMBER = r"([\d.]+)"


@pytest.fixture
def output(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """Output of the script with the number in the test's name."""
    (script,) = EXAMPLES.glob(f"{request.node.name.removeprefix('test_')[:2]}_*.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script)])
    runpy.run_path(str(script), run_name="__main__")
    written = {path.name for path in tmp_path.iterdir()}
    assert all(name.rstrip("/") in script.read_text(encoding="utf-8") for name in written)
    return capsys.readouterr().out


def found(pattern: str, text: str) -> list[float]:
    match = re.search(pattern.replace("#", NUMBER), text)
    assert match is not None, f"{pattern} not in:\n{text}"
    return [float(number) for number in match.groups()]


def errors(table: str) -> list[dict[str, float]]:
    """Joint error (mm) by column, for each table of metrics in the text."""
    heads = re.findall(r"^ {20,}(\S.*)$", table, re.MULTILINE)
    rows = re.findall(r"^joint error, MPJPE \(mm\) +(.*)$", table, re.MULTILINE)
    columns = [re.split(r" {2,}", head) for head in heads]
    return [dict(zip(names, map(float, row.split()), strict=True)) for names, row in zip(columns, rows, strict=True)]


def is_drawn(path: str) -> bool:
    """Whether the picture is not blank."""
    return np.ptp(imread(path)[..., :3]) > 0.5


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_examples_are_short_and_listed(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert f"python {script.name}" in text
    assert f"[{script.name}]({script.name})" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


def test_01_refine_arrays(output: str) -> None:
    before, after = found("place: +# mm as tracked, # mm repaired", output)
    # normal noise with 20 mm per coordinate has a mean length of 31.9 mm
    assert before == pytest.approx(31.9, rel=0.1)
    assert after < before / 3
    tracked, repaired, true = found("hand: +# m/s2 as tracked, # repaired, # in truth", output)
    assert tracked > 10 * true > repaired


@pytest.mark.slow
def test_02_refine_and_picture(output: str) -> None:
    (error,) = errors(output)
    assert error["after"] < error["before"] / 3
    assert error["truth"] == 0
    assert toch_jax.load_sequence("clean.npz").n_frames == 111
    assert is_drawn("clean.png")


def test_03_contact_field(output: str) -> None:
    flicker = [
        found(rf"{name} +# in a frame, of which +# begin", output)[1]
        for name in ("as tracked", "denoised", "ground truth")
    ]
    assert flicker == sorted(flicker, reverse=True)
    frame, touching = found("frame #: # samples in contact", output)
    assert touching > 5
    mesh = trimesh.load("contact.ply", process=False)
    # the object and 512 balls of 42 vertices, green if in contact
    sequence = toch_jax.load_sequence(EXAMPLES.parent / "toch_jax" / "example" / "tracked.npz")
    assert len(mesh.vertices) == len(sequence.object_vertices) + 512 * 42
    assert (mesh.visual.vertex_colors[:, :3] == (40, 170, 70)).all(axis=1).sum() == 42 * touching
    assert 0 <= frame < sequence.n_frames


def test_04_uncertainty(output: str) -> None:
    (error,) = found(r"root mean square\): +# mm", output)
    (said,) = found("sigma says it is: +# mm", output)
    assert error / 2 < said < 2 * error
    assert 80 <= found("90 % interval: +# %", output)[0] <= 100
    assert is_drawn("uncertainty.png")


@pytest.mark.slow
def test_05_two_hands(output: str) -> None:
    assert "Hands: left, right; the object has 2 parts" in output
    left, right = errors(output)
    # one hand is the other's mirror image
    assert left["before"] == right["before"]
    assert max(left["after"], right["after"]) < left["before"] / 3
    assert is_drawn("two_hands.png")


@pytest.mark.slow
def test_06_hamer_output(output: str) -> None:
    before, after = found("Joint error in 98 frames: # mm, repaired # mm", output)
    assert after < before / 2
    assert found("which are filled in: # mm", output)[0] < before
    assert toch_jax.load_sequence("clean.npz").hand_side == ("left",)


@pytest.mark.slow
def test_07_train_in_five_minutes(output: str) -> None:
    for name in ("distance", "correspondence", "joints"):
        before, after = found(f"{name} +# mm, +# mm", output)
        assert after < before
    (error,) = errors(output)
    assert error["the shipped one"] < error["this one"] < error["before"] / 2
    assert toch_jax.load_denoiser("run/denoiser.npz").config.frame_width == 64


@pytest.mark.slow
def test_08_tune_the_fit(output: str) -> None:
    rows = {
        name: found(f"{name} +# mm +# m/s2 +# mm +# mm", output)
        for name in ("as shipped", "motion less smooth", "motion smoother", "object softer", "network ignored")
    }
    usual, rough, smooth, soft, alone = rows.values()
    assert rough[1] > usual[1] > smooth[1]
    assert soft[2] > usual[2]
    assert alone[0] > usual[0]


@pytest.mark.slow
def test_09_add_a_filter_baseline(output: str) -> None:
    moved, bent = errors(output)
    for error in (moved, bent):
        assert error["after"] < error["my filter"] < error["before"]
