"""Perturbation of a clean clip, in place of a noisy tracker."""

import zlib

import jax
import jax.numpy as jnp

from toch_jax.benchmark.score import hand_model
from toch_jax.perturb.registry import Perturbation
from toch_jax.sequence.types import Sequence


def perturb_clip(clip_id: str, clean: Sequence, perturbation: Perturbation, seed: int) -> Sequence:
    """The clip with perturbed hands and the clean ones as ground truth. The random key is from id and seed only."""
    key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(clip_id.encode()))
    assert clean.hands.params is not None
    noisy, masks = [], []
    for hand, side in enumerate(clean.hand_side):
        params = jax.tree.map(lambda leaf, hand=hand: leaf[hand], clean.hands.params)
        model = hand_model(clean.hand_model or "open", side)
        perturbed, observed = perturbation(jax.random.fold_in(key, hand), model, params)
        noisy.append(perturbed)
        masks.append(observed)
    return clean.replace(
        hands=clean.hands.replace(params=jax.tree.map(lambda *leaves: jnp.stack(leaves), *noisy)),
        hand_valid=jnp.stack(masks),
        truth=clean.hands,
    )
