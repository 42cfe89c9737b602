"""`toch denoise --follow`: lines in, lines out, and what is said of bad ones."""

import io
import json

import numpy as np
import pytest

from toch_jax.cli import main
from toch_jax.cli.follow import sequences
from toch_jax.sequence.arrays import arrays_from_sequence
from toch_jax.stream import refine_stream
from toch_jax.warming import example

FRAMES = 8


@pytest.fixture(scope="module")
def clip():
    return example(FRAMES)


@pytest.fixture(scope="module")
def lines(clip) -> list[str]:
    arrays = arrays_from_sequence(clip)
    timed = {key: arrays[key] for key in ("hand_joints", "object_rotation", "object_translation")}
    side = {"hand_side": clip.hand_side[0], "hand_joints": timed.pop("hand_joints").reshape(FRAMES, 21, 3)}
    motion = {key: value.reshape(FRAMES, 3) for key, value in timed.items()}
    frames = [
        {"hand_joints": side["hand_joints"][each].tolist()} | {key: motion[key][each].tolist() for key in motion}
        for each in range(FRAMES)
    ]
    frames[0] |= {"fps": clip.fps, "hand_side": side["hand_side"]}
    frames[0] |= {key: arrays[key].tolist() for key in ("object_vertices", "object_faces")}
    return [json.dumps(frame) for frame in frames]


def run(monkeypatch, lines, *options) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    return main(["denoise", "--follow", *options])


def test_lines_are_the_frames_of_refine_stream(clip, lines, monkeypatch, capsys):
    assert run(monkeypatch, lines, "--denoiser", "none", "--look-ahead", "2") == 0
    out, err = capsys.readouterr()
    written = [json.loads(line) for line in out.splitlines()]
    assert [frame["frame"] for frame in written] == list(range(FRAMES))
    expected = list(refine_stream([clip], None, look_ahead=2))
    for frame, clean in zip(written, expected, strict=True):
        np.testing.assert_allclose(frame["hand_joints"], clean.hands.joints[0, 0], atol=1e-4)
        np.testing.assert_allclose(frame["hand_joint_sigma"], clean.hand_joint_sigma[0, 0], rtol=0.05)
        assert frame["hand_valid"] is True
    assert f"{FRAMES} frames" in err.splitlines()[-1]
    assert "95 %" in err.splitlines()[-1]


def test_frames_without_the_hand_and_joints_that_are_null(lines):
    second, third = json.loads(lines[1]), json.loads(lines[2])
    del second["hand_joints"]
    third["hand_joints"][4] = [None] * 3
    found = list(sequences([lines[0], json.dumps(second), "", json.dumps(third)], {}))
    assert [bool(each.hand_valid[0, 0]) for each in found] == [True, False, True]
    assert np.isnan(np.asarray(found[2].hands.joints[0, 0, 4])).all()
    np.testing.assert_array_equal(found[1].hands.joints, found[0].hands.joints)


@pytest.mark.parametrize(
    ("number", "change", "said"),
    [
        (1, lambda frame: "{", "standard input, line 1: JSON: expected an object in one line"),
        (1, lambda frame: "[1]", "line 1: JSON: expected an object, such as {...}, found list"),
        (1, lambda frame: json.dumps({**frame, "fps": None}), "line 1"),
        (
            1,
            lambda frame: json.dumps({k: frame[k] for k in frame if k != "fps"}),
            "line 1: fps: expected it in the first",
        ),
        (1, lambda frame: json.dumps({k: frame[k] for k in frame if k != "hand_joints"}), "a first frame in which"),
        (1, lambda frame: json.dumps({k: frame[k] for k in frame if k != "object_faces"}), "or --object, found none"),
        (
            2,
            lambda frame: json.dumps({**frame, "hand_joints": [[0, 1], [2]]}),
            "line 2: hand_joints: expected numbers in",
        ),
        (2, lambda frame: json.dumps({**frame, "hand_joints": frame["hand_joints"][:20]}), "line 2: hand_joints"),
        (2, lambda frame: json.dumps({**frame, "hand_joint": 1}), "line 2: hand_joint: expected one of fps"),
        (
            2,
            lambda frame: json.dumps({**frame, "object_rotation": None}),
            "line 2: object_rotation: expected the object's",
        ),
    ],
)
def test_a_bad_line_is_named_in_one_line(lines, monkeypatch, capsys, number, change, said):
    bad = list(lines)
    bad[number - 1] = change(json.loads(bad[number - 1]))
    assert run(monkeypatch, bad, "--denoiser", "none", "--look-ahead", "2") == 2
    err = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("loading JAX")]
    assert len(err) == 1
    assert err[0].startswith("toch: ")
    assert said in err[0]
