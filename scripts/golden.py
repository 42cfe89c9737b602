"""Regression test of the whole pipeline's numbers: `make golden`, five minutes on two cores.

    toch prepare myodm
    toch prepare open_grasps
    python scripts/golden.py            # compares with tests/golden/pipeline.npz; exit code 1 beyond TOLERANCES
    python scripts/golden.py --exact    # bit for bit: only on the machine that wrote the file
    python scripts/golden.py --write    # after an intended change of the numbers

It runs commands only, so that it does not depend on the code's structure: `toch denoise` on the demo's clip and on two
hands with scissors, `toch benchmark filters --quick`, twenty steps of `toch train open_grasps`.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "pipeline.npz"
CLIPS = {"demo": ROOT / "toch_jax" / "example" / "tracked.npz", "scissors": ROOT / "tests" / "golden" / "hinged.npz"}
TOLERANCES = {"clips": 1e-5, "benchmark": 1e-2, "training": 1e-2}
"""Largest differences: absolute for clips (metres, radians) and metrics (their units), relative for training."""

Numbers = dict[str, np.ndarray]


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = clips(Path(folder)) | benchmark(Path(folder)) | training(Path(folder))
    if "--write" in arguments:
        np.savez_compressed(GOLDEN, **found)
        print(GOLDEN)
        return 0
    with np.load(GOLDEN) as archive:
        expected = dict(archive)
    differ = [name for name in sorted(found.keys() | expected.keys()) if not same(name, found, expected, arguments)]
    print(f"{len(found) - len(differ)} of {len(expected)} as they were")
    return 1 if differ else 0


def clips(folder: Path) -> Numbers:
    """Repaired hands (parameters, joints, sigma) and object poses of each clip."""
    numbers = {}
    for name, clip in CLIPS.items():
        result = folder / f"{name}.npz"
        toch("denoise", str(clip), "-o", str(result), "--no-picture")
        with np.load(result) as archive:
            kept = [key for key in archive.files if archive[key].ndim > 1 and not key.endswith("vertices")]
            numbers |= {f"clips/{name}/{key}": archive[key] for key in kept if archive[key].dtype.kind == "f"}
    return numbers


def benchmark(folder: Path) -> Numbers:
    """Mean of each metric of each method under each noise, on two clips."""
    toch("benchmark", "filters", "-o", str(folder / "filters"), "--quick")
    results = json.loads((folder / "filters" / "results.json").read_text(encoding="utf-8"))
    return {
        f"benchmark/{each['noise']}/{each['method']}/{each['metric']}": np.array(each["mean"], np.float64)
        for each in results
        if each["metric"] != "seconds"
    }


def training(folder: Path) -> Numbers:
    """Losses of each logged step, the last validation, and the norms of the weights."""
    toch("train", "open_grasps", "--run-dir", str(folder / "run"), "--steps", "20", "--log-every", "5")
    numbers = {}
    for line in (folder / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        values = json.loads(line)
        step = values.pop("step")
        numbers |= {f"training/step {step}/{k}": np.array(v) for k, v in values.items() if isinstance(v, float)}
    with np.load(folder / "run" / "denoiser.npz") as weights:
        for name in weights.files:
            if weights[name].dtype.kind == "f":
                numbers[f"training/weights/{name}"] = np.linalg.norm(weights[name].astype(np.float64))
    return numbers


def same(name: str, found: Numbers, expected: Numbers, arguments: list[str]) -> bool:
    """Whether the array exists in both and agrees within its tolerance; prints one line on the difference if not."""
    if name not in found or name not in expected:
        print(f"{name}: {'no longer there' if name in expected else 'not there before'}")
        return False
    ours, theirs = found[name], expected[name]
    if ours.shape != theirs.shape:
        print(f"{name}: shape {ours.shape}, {theirs.shape} before")
        return False
    kind = name.split("/")[0]
    allowed = 0.0 if "--exact" in arguments else TOLERANCES[kind]
    scale = np.abs(theirs) + 1e-12 if kind == "training" else 1.0
    off = np.abs(ours.astype(np.float64) - theirs) / scale
    is_same = bool((np.isnan(ours) == np.isnan(theirs)).all() and np.nanmax(off, initial=0.0) <= allowed)
    if not is_same:
        print(f"{name}: off by {np.nanmax(off, initial=0.0):.3g}, at most {allowed:g} expected")
    return is_same


def toch(*arguments: str) -> None:
    print("toch", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "toch_jax", *arguments], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
