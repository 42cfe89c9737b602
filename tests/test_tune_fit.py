"""`experiments/tune_fit.py`: its arithmetic on made-up scores, and a run on the demo's clip."""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import ttest_1samp

from toch_jax.base.errors import InputError
from toch_jax.benchmark import experiment
from toch_jax.sequence.file import load_sequence
from toch_jax.solver.settings import DEFAULT

TUNE = runpy.run_path(str(Path(__file__).parents[1] / "experiments" / "tune_fit.py"))


def test_a_setting_is_scaled_and_no_other() -> None:
    changed = TUNE["scaled"](DEFAULT, "depth", 2.0)
    assert changed == DEFAULT.replace(depth=0.002)
    changed = TUNE["scaled"](DEFAULT, "acceleration_per_speed.wrist", 0.5)
    assert changed == DEFAULT.replace(acceleration_per_speed=DEFAULT.acceleration_per_speed.replace(wrist=13.0))
    assert TUNE["scaled"](DEFAULT, "finger_bias.1", 2.0).finger_bias == (4.0, 0.2)
    assert TUNE["scaled"](DEFAULT, "push_back_from", 2.0).push_back_from == (0.003, 0.006)
    with pytest.raises(InputError, match=r"expected one of velocity, .*found"):
        TUNE["scaled"](DEFAULT, "dept", 2.0)


def test_units_of_settings_and_of_their_numbers() -> None:
    assert TUNE["unit_of"]("depth") == "m"
    assert TUNE["unit_of"]("finger_bias.1") == "rad"
    assert TUNE["unit_of"]("velocity.wrist") == "m/s"
    assert TUNE["unit_of"]("velocity.fingers") == "rad/s"
    assert TUNE["unit_of"]("acceleration_per_speed.orient") == "1/s"


def test_every_traced_setting_is_varied_or_held() -> None:
    names = {name.split(".")[0] for name in TUNE["SETTINGS"]} | set(TUNE["HELD"])
    assert names == set(DEFAULT.__dataclass_fields__)


def made_up(errors: list[tuple[float, float]], name: str, inside: tuple[float, float] = (50.0, 50.0)) -> dict:
    """Clips with these joint errors (mm) at the present value and at twice it; depth 1 mm, 1 mm off."""

    def scores(error: float, inside: float) -> dict[str, float]:
        return {"mpjpe": error, "depth": 1.0, "depth_error": 1.0, "acceleration": 0.5, "inside": inside}

    both = [{"present": scores(now, inside[0]), f"{name} x2": scores(other, inside[1])} for now, other in errors]
    return {str(i): {"R(0.3)": {"fit": each, "ours": each}} for i, each in enumerate(both)}


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        ([(5.0, 6.0), (7.0, 8.5), (9.0, 9.5)], "best"),
        ([(5.0, 4.0), (7.0, 5.5), (9.0, 8.5)], "x2, within noise"),
        ([(5.0, 4.0), (7.0, 6.1), (9.0, 7.9)], "x2 is better"),
    ],
)
def test_verdict_is_a_paired_test_over_clips(errors: list[tuple[float, float]], verdict: str) -> None:
    row = TUNE["row"](made_up(errors, "depth"), "depth", (2.0,))
    assert row.verdict == verdict
    difference = np.subtract(*np.transpose(errors)[::-1])
    interval = ttest_1samp(difference, 0.0).confidence_interval(0.95)
    change, half = row.change["2"]
    assert (change - half, change + half) == pytest.approx(tuple(interval))
    assert row.scores["1"]["error"] == pytest.approx(1 + np.mean(errors, axis=0)[0])
    assert row.value == "0.001"


def test_sigma_scale_is_judged_by_its_intervals() -> None:
    clips = made_up([(5.0, 5.0), (6.0, 6.0)], "sigma_scale", (40.0, 55.0))
    row = TUNE["row"](clips, "sigma_scale", (2.0,))
    assert row.change["2"] == pytest.approx((-5.0, 0.0))
    assert row.verdict == "x2 is better"


@pytest.mark.slow
def test_a_run_resumes_and_compiles_nothing_for_another_value(
    example_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracked = load_sequence(example_file)
    clean = tracked.replace(hands=tracked.truth, truth=None, hand_valid=jnp.ones_like(tracked.hand_valid))
    compiled = []

    def clips(dataset: str, split: str) -> Iterator[tuple]:
        yield "a", clean

    def listen(event: str, duration: float, **_: object) -> None:
        compiled.append(event == "/jax/core/compile/backend_compile_duration")

    main = TUNE["main"]
    monkeypatch.setattr(experiment, "read_sequences", clips)
    few = {"datasets": ("toy",), "noises": ("T(0.01)",), "frames": 16}
    main(tmp_path, ("depth",), factors=(0.5,), **few)
    path = tmp_path / "clips" / "toy" / "a.json"
    first = json.loads(path.read_text())["T(0.01)"]["ours"]
    assert set(first) == {"present", "depth x0.5"}
    first["depth x0.5"]["mpjpe"] = 1e-3
    path.write_text(json.dumps({"T(0.01)": {"ours": first}}))

    jax.monitoring.register_event_duration_secs_listener(listen)
    main(tmp_path, ("depth", "acceleration_per_speed", "motion_dof", "tracked_floor"), factors=(0.5,), **few)
    jax.monitoring.unregister_event_duration_listener(listen)
    assert not any(compiled)
    again = json.loads(path.read_text())["T(0.01)"]
    assert again["ours"]["depth x0.5"]["mpjpe"] == 1e-3
    assert set(again["fit"]) == {
        "present",
        *(f"{s} x0.5" for s in ("depth", "acceleration_per_speed", "motion_dof", "tracked_floor")),
    }
    rows = {row["setting"]: row for row in json.loads((tmp_path / "results.json").read_text())}
    assert rows["acceleration_per_speed"]["value"] == "26, 26, 24"
    text = (tmp_path / "results.md").read_text()
    assert "| `depth` | m | 0.001 |" in text
    with pytest.raises(InputError, match="clips: expected cut to 16 frames, as the run"):
        main(tmp_path, ("depth",), **few | {"frames": 32})
