from pathlib import Path

from toch_jax.training.metrics import Metrics, read_metrics


def test_a_resumed_run_forgets_what_was_written_past_its_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    first = Metrics(path, 0)
    for step in (1, 2, 3, 4):
        first.write(step, {"loss": step / 3})
    with path.open("a") as file:
        file.write('{"step": 5, "lo')  # a line cut off by a kill
    Metrics(path, 2).write(3, {"loss": 9.0})
    assert read_metrics(path) == [
        {"step": 1, "loss": 0.333333},
        {"step": 2, "loss": 0.666667},
        {"step": 3, "loss": 9.0},
    ]
