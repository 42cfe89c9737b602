import json
from pathlib import Path

import numpy as np
import pytest
from support.windows import FIELD_NET, TOCH, untrained

from toch_jax.base.errors import InputError
from toch_jax.denoiser.checkpoints import load_denoiser, save_network, weights
from toch_jax.denoiser.field_net import FieldNetConfig
from toch_jax.denoiser.toch import TochConfig


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "denoiser.npz"
    save_network(untrained(FIELD_NET), path)
    return path


def rewritten(path: Path, **changes: np.ndarray | None) -> Path:
    with np.load(path) as archive:
        arrays = {key: archive[key] for key in archive.files}
    kept = {key: value for key, value in (arrays | changes).items() if value is not None}
    np.savez(path, **kept)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_denoiser(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(str(path))
    return text


@pytest.mark.parametrize("config", [FIELD_NET, TOCH])
def test_comes_back_as_it_was(config: FieldNetConfig | TochConfig, tmp_path: Path) -> None:
    model = untrained(config)
    save_network(model, tmp_path / "one.npz")
    loaded = load_denoiser(tmp_path / "one.npz")
    assert loaded.config == config
    ours, theirs = weights(loaded), weights(model)
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])
    assert [path.name for path in tmp_path.iterdir()] == ["one.npz"]


def test_a_file_from_before_a_setting_existed_has_its_default(saved: Path) -> None:
    with np.load(saved) as archive:
        config = json.loads(str(archive["config"]))
    newer = ("window", "stride", "frame_rate", "samples", "least_weight", "joint_loss")
    older = {key: value for key, value in config.items() if key not in newer}
    loaded = load_denoiser(rewritten(saved, config=np.asarray(json.dumps(older))))
    assert loaded.config == FIELD_NET


def test_the_shipped_file_reads_as_it_was_trained() -> None:
    """The numbers that the code held before files did: they may not change under this file's weights."""
    config = load_denoiser().config
    assert (config.window, config.stride, config.frame_rate, config.samples) == (32, 16, 30.0, 512)
    assert (config.canonical_scale, config.canonical_offset) == (5.02595, (-0.077543, 0.033131, -0.015715))


def test_another_seed_has_other_weights() -> None:
    one, other = weights(untrained(FIELD_NET)), weights(untrained(FIELD_NET, 1))
    assert one.keys() == other.keys()
    assert not np.allclose(one["point_in/kernel"], other["point_in/kernel"])


def test_missing_file(tmp_path: Path) -> None:
    assert "no file" in refusal(tmp_path / "none.npz")


def test_file_cut_short(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:1000])
    assert "whole .npz" in refusal(saved)


def test_not_an_archive(saved: Path) -> None:
    saved.write_bytes(b"weights")
    assert "whole .npz" in refusal(saved)


def test_pickled_content_is_never_run(saved: Path) -> None:
    np.savez(saved, format=np.asarray({"a": 1}, dtype=object))
    assert "a pickled object, which is never read" in refusal(saved)


def test_another_format(saved: Path) -> None:
    assert "toch-sequence 1" in refusal(rewritten(saved, format=np.asarray("toch-sequence")))


def test_another_version(saved: Path) -> None:
    assert "toch-denoiser 2" in refusal(rewritten(saved, version=np.asarray(2)))


def test_unknown_architecture(saved: Path) -> None:
    assert "light or toch" in refusal(rewritten(saved, architecture=np.asarray("transformer")))


def test_weights_of_another_architecture(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "toch.npz"
    save_network(untrained(TOCH), other)
    with np.load(saved) as archive:
        config = archive["config"]
    assert "answer_frame/kernel" in refusal(rewritten(other, architecture=np.asarray("light"), config=config))


def test_unknown_setting(saved: Path) -> None:
    assert "depth" in refusal(rewritten(saved, config=np.asarray('{"depth": 3}')))


def test_weights_of_another_size(saved: Path) -> None:
    text = refusal(rewritten(saved, **{"weights/point_in/bias": np.zeros(7, np.float32)}))
    assert "expected (8,), found (7,)" in text


def test_weights_left_out(saved: Path) -> None:
    assert "found nothing" in refusal(rewritten(saved, **{"weights/point_in/bias": None}))
