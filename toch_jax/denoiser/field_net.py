"""FieldNet, the denoiser that ships: little computation for each sample, most for each frame, shape once per window.

It works in the palm's mean frame, so that it need not learn directions in space; corrects joints by a mixture of
filtered paths; and reads the field at each sample relative to the corrected joints.

Features of samples have the axes (W, C, N), samples last, so that vector instructions run over the samples, and are
computed window by window (layers.py).

Other parts of the object and the other hand enter by layers that are initialised with 0: what training has not shown, a
left hand or a hinge, has no effect.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import optax
from flax import nnx, struct
from jaxtyping import Array, Bool, Float

from toch_jax.denoiser.coordinates import filter_paths, from_canonical, nearness, palm_frame, to_canonical
from toch_jax.denoiser.layers import TemporalBlock, each_window, filtered_in_time, of_samples
from toch_jax.denoiser.window import DenoiserConfig, Estimate, JointEstimate, Network, Target, Window, weighted_mean
from toch_jax.field.contact_field import FieldEstimate

_UNIT = 10.0
"""The network's units of length (decimetres) per metre, so that features are about 1."""
_FINE = 100.0
"""Units of corrections and of errors in the loss (centimetres) per metre."""
_FAR = 3.0
"""Limit of the other hand's distance from the wrist, decimetres; chosen by hand."""


@dataclass(frozen=True, kw_only=True)
class FieldNetConfig(DenoiserConfig):
    """Sizes of FieldNet, and the weights of its losses, which were set by hand."""

    point_width: int = 64
    frame_width: int = 192
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4)
    smoothing: tuple[float, ...] = (1.0, 2.0, 4.0)
    """Widths (frames) of Gaussians over the tracked joints. A correction is a mixture of these smoothed joints, the
    tracked joints, and their mean over the window."""
    taps: int = 5
    """Length in frames of the filter over each sample's features."""
    joint_width: float = 0.015
    """Width of the softmax that weighs the joints near a point, metres."""
    sigma_bounds: tuple[float, float] = (0.0003, 0.1)
    """Least and largest standard deviation that is estimated, metres."""
    near: float = 0.02
    """A sample has the weight exp(-distance / near) in the loss. Metres."""
    least_weight: float = 0.1
    """Least such weight, of samples far from the hand."""
    mask_weight: float = 2.0
    """Weight in the loss of samples whose true mask is true, relative to the others."""
    mask_loss: float = 2.0
    """Weight of the mask's cross entropy (nats)."""
    distance_loss: float = 2.0
    """Weight of the distances' mean absolute error, per cm."""
    correspondence_loss: float = 1.0
    """Weight of the correspondences' mean error, per cm."""
    joint_loss: float = 2.0
    """Weight of the joints' mean error, per cm."""
    sigma_loss: float = 0.1
    """Weight of the standard deviations' negative log likelihood (nats). Its gradient moves nothing else."""


class _Samples(struct.PyTreeNode):
    """The object's samples and the field that is read at them, in the palm's mean frame; decimetres."""

    points: Float[Array, "*B #W 3 N"]
    normals: Float[Array, "*B #W 3 N"]
    own: Float[Array, "*B 1 1 N"]
    mask: Float[Array, "*B W 1 N"]
    distance: Float[Array, "*B W 1 N"]
    correspondence: Float[Array, "*B W 3 N"]
    """Canonical coordinates."""


class _Features(struct.PyTreeNode):
    """What has been computed of the samples before the joints are corrected."""

    point: Float[Array, "*B W C N"]
    shape: Float[Array, "*B 1 C N"]
    """Features of the object's shape around each sample."""
    noisy: Float[Array, "*B W 8 N"]
    """The field that is read."""
    hits: Float[Array, "*B W 3 N"]
    """Points of the hand's surface that the field states."""
    near: Float[Array, "*B W 21 N"]
    """Weights of the joints near each hit."""


class FieldNet(Network):
    """Network from noisy field and joints of a window to clean field and joints, each with its standard deviation."""

    ARCHITECTURE = "light"
    CONFIG = FieldNetConfig

    def __init__(self, config: FieldNetConfig, rngs: nnx.Rngs) -> None:
        super().__init__(config, rngs)
        point, frame = config.point_width, config.frame_width
        paths = len(config.smoothing) + 2
        # A joint's correction is a mixture of many paths: their initial weights are smaller.
        small, tiny = nnx.initializers.normal(1e-3), nnx.initializers.normal(3e-4)
        self.shape_in = nnx.Linear(6, point, rngs=rngs)
        self.shape_part = nnx.Linear(1, point, use_bias=False, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.shape_out = nnx.Linear(point, point, rngs=rngs)
        self.point_in = nnx.Linear(18, point, rngs=rngs)
        self.point_out = nnx.Linear(point, point, rngs=rngs)
        self.frame_in = nnx.Linear(3 * point + 63 * (2 + paths) + 22, frame, rngs=rngs)
        self.frame_hands = nnx.Linear(66, frame, use_bias=False, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.blocks = nnx.List([TemporalBlock(frame, dilation, rngs=rngs) for dilation in config.dilations])
        self.frame_norm = nnx.LayerNorm(frame, rngs=rngs)
        self.to_joints = nnx.Linear(frame, 21 * (paths + 3 + 1), kernel_init=tiny, rngs=rngs)
        self.answer_shape = nnx.Linear(point, point, use_bias=False, rngs=rngs)
        self.answer_frame = nnx.Linear(frame, point, use_bias=False, rngs=rngs)
        self.answer_in = nnx.Linear(point + 22, point, rngs=rngs)
        self.answer_taps = nnx.Param(small(rngs.params(), (config.taps, point)))
        self.answer_mid = nnx.Linear(point, point, rngs=rngs)
        self.answer_out = nnx.Linear(point, 7, kernel_init=small, rngs=rngs)

    def __call__(self, window: Window) -> Estimate:
        """Estimate for a window of any number of frames and samples; lost frames are filled in."""
        config = self.config
        observed = window.observed

        # into the palm's mean frame, decimetres
        mean = filter_paths(window.joints, observed, (float("inf"),))[0, :, 0]
        rotation, origin = palm_frame(mean)
        joints, tracked, other = (
            _UNIT * jnp.einsum("bwjc,bcd->bwjd", each - origin[:, None, None], rotation)
            for each in (window.joints, window.tracked, window.other.joints)
        )
        canonical = config.canonical
        correspondence = to_canonical(window.field.correspondence, window.field.mask, *canonical)
        samples = _Samples(
            points=_UNIT * jnp.einsum("bwnc,bcd->bwdn", window.points - origin[:, None, None], rotation),
            normals=jnp.einsum("bwnc,bcd->bwdn", window.normals, rotation),
            own=window.own[:, None, None].astype(jnp.float32),
            mask=window.field.mask[:, :, None].astype(jnp.float32),
            distance=_UNIT * window.field.distance[:, :, None],
            correspondence=jnp.swapaxes(correspondence, 2, 3),
        )

        # candidates for the joints (tracked, filtered) relative to those read; and the tracked joints' usual deviation
        rough = jnp.where(observed[..., None, None], tracked - joints, 0.0)
        paths = filter_paths(tracked, observed, (*config.smoothing, float("inf"))) - joints
        filtered = jnp.moveaxis(jnp.concatenate([rough[None], paths]), 0, -1) * _FINE / _UNIT
        count = jnp.maximum(observed.sum(axis=1), 1)[:, None]
        jitter = jnp.sqrt((rough**2).sum(axis=(1, 3)) / count + 1e-6) * _FINE / _UNIT

        features, summary = each_window(self._read, (samples, joints))
        frame = self.frame_in(
            jnp.concatenate(
                [
                    summary,
                    _flat(joints),
                    _flat(_to_palm(joints, joints)),
                    _flat(filtered),
                    jnp.broadcast_to(jitter[:, None], joints.shape[:3]),
                    observed[..., None],
                ],
                axis=-1,
            )
        )
        frame = frame + self.frame_hands(_hands(window, other, joints))
        for block in self.blocks:
            frame = block(frame, observed)
        frame = self.frame_norm(frame)

        # the joints: a mixture of filtered paths and a correction in the palm's frame
        by_joint = self.to_joints(frame).reshape(*observed.shape, 21, -1)
        mixed = jnp.einsum("bwjck,bwjk->bwjc", filtered, by_joint[..., :-4])
        palm, _ = palm_frame(joints)
        correction = (mixed + jnp.einsum("bwdc,bwjc->bwjd", palm, by_joint[..., -4:-1])) / _FINE * _UNIT

        answer, distance = each_window(self._answer, (samples, features, frame, joints, correction, observed))
        return Estimate(
            field=FieldEstimate(
                mask_logit=answer[:, :, 0],
                distance=distance / _UNIT + answer[:, :, 1] / _FINE,
                correspondence=from_canonical(correspondence + jnp.swapaxes(answer[:, :, 2:5], 2, 3), *canonical),
                distance_sigma=self._sigma(answer[:, :, 5]),
                correspondence_sigma=self._sigma(answer[:, :, 6]),
            ),
            joints=JointEstimate(
                joints=jnp.einsum("bwjd,bcd->bwjc", joints + correction, rotation) / _UNIT + origin[:, None, None],
                sigma=self._sigma(by_joint[..., -1]),
            ),
        )

    def _read(self, of_window: tuple[_Samples, Float[Array, "W 21 3"]]) -> tuple[_Features, Float[Array, "W S"]]:
        """Each sample's features relative to the hand (joints, decimetres), and their summary for each frame."""
        samples, joints = of_window
        # the object's shape, once per window: as it is in the first frame
        shape = of_samples(self.shape_in, jnp.concatenate([samples.points[:1], samples.normals[:1]], axis=1))
        shape = jax.nn.silu(shape + of_samples(self.shape_part, 1.0 - samples.own))
        shape = jax.nn.silu(of_samples(self.shape_out, shape))

        hits = samples.points + samples.distance * samples.normals
        shown, near = self._geometry(hits, samples, joints)
        far = 5.0 * samples.distance
        noisy = jnp.concatenate([samples.mask, far, far * samples.normals, samples.correspondence], axis=1)
        point = jax.nn.silu(of_samples(self.point_in, jnp.concatenate([noisy, shown], axis=1)) + shape)
        point = jax.nn.silu(of_samples(self.point_out, point))
        touched = jnp.sum(point * samples.mask, axis=2) / (jnp.sum(samples.mask, axis=2) + 1.0)
        whole = jnp.broadcast_to(jnp.max(shape, axis=2), touched.shape)
        summary = jnp.concatenate([jnp.max(point, axis=2), touched, whole], axis=1)
        return _Features(point=point, shape=shape, noisy=noisy, hits=hits, near=near), summary

    def _answer(
        self,
        of_window: tuple[
            _Samples,
            _Features,
            Float[Array, "W F"],
            Float[Array, "W 21 3"],
            Float[Array, "W 21 3"],
            Bool[Array, "W"],
        ],
    ) -> tuple[Float[Array, "W 7 N"], Float[Array, "W N"]]:
        """The field's seven outputs, from the geometry relative to the corrected joints; and the distance (decimetres)
        that the correction alone gives.

        Of one window: samples, their features, features of frames, joints and their correction, observed frames.
        """
        samples, features, frame, joints, correction, observed = of_window
        palm, _ = palm_frame(joints)
        moved = jnp.einsum("wjc,wjn->wcn", correction, features.near)
        along = jnp.sum(moved * samples.normals, axis=1, keepdims=True)
        reached = features.hits + samples.mask * along * samples.normals
        shown, _ = self._geometry(reached, samples, joints + correction)
        in_palm = jnp.einsum("wcd,wcn->wdn", palm, moved)
        local = jnp.concatenate([features.point, features.noisy, shown, 5.0 * along, 5.0 * in_palm], axis=1)
        answer = of_samples(self.answer_in, local) + of_samples(self.answer_shape, features.shape)
        answer = jax.nn.silu(answer + self.answer_frame(frame)[:, :, None])
        answer = answer + filtered_in_time(answer, self.answer_taps[...], observed)
        answer = of_samples(self.answer_out, jax.nn.silu(of_samples(self.answer_mid, answer)))
        return answer, ((samples.distance + along) * samples.mask)[:, 0]

    def loss(self, window: Window, target: Target) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """Loss and its terms: cross entropy of the mask; absolute errors of distance, correspondence and joints (cm).

        Standard deviations have a loss of their own (negative log likelihood of a Laplace distribution, errors held
        fixed): a large standard deviation does not reduce the weight of a sample's error.
        """
        config = self.config
        estimate = self(window)
        field, truth = estimate.field, target.field
        assert estimate.joints is not None
        frame_mask = jnp.broadcast_to(target.frame_mask[..., None], truth.mask.shape).astype(jnp.float32)
        near = jnp.exp(-jnp.abs(truth.distance) / config.near)
        weight = truth.mask * frame_mask * jnp.maximum(near, config.least_weight)
        cross_entropy = optax.sigmoid_binary_cross_entropy(field.mask_logit, truth.mask.astype(jnp.float32))
        distance = _FINE * jnp.abs(field.distance - truth.distance)
        correspondence = _FINE * _length(field.correspondence - truth.correspondence)
        joints = _FINE * _length(estimate.joints.joints - target.joints)
        shown = jnp.broadcast_to(target.frame_mask[..., None], joints.shape).astype(jnp.float32)
        terms = {
            "mask": weighted_mean(cross_entropy * jnp.where(truth.mask, config.mask_weight, 1.0), frame_mask),
            "distance": weighted_mean(distance, weight),
            "correspondence": weighted_mean(correspondence, weight),
            "joints": weighted_mean(joints, shown),
            # the root mean square of three coordinates is the vector's length over sqrt(3)
            "sigma": weighted_mean(_nll(field.distance_sigma, distance), weight)
            + weighted_mean(_nll(field.correspondence_sigma, correspondence / 3**0.5), weight)
            + weighted_mean(_nll(estimate.joints.sigma, joints / 3**0.5), shown),
        }
        total = config.mask_loss * terms["mask"] + config.distance_loss * terms["distance"]
        total = total + config.correspondence_loss * terms["correspondence"] + config.joint_loss * terms["joints"]
        return total + config.sigma_loss * terms["sigma"], terms

    def _geometry(
        self, hits: Float[Array, "W 3 N"], samples: _Samples, joints: Float[Array, "W 21 3"]
    ) -> tuple[Float[Array, "W 10 N"], Float[Array, "W 21 N"]]:
        """Sample, normal, vector and distance from near joints to the hit, in the palm's frame; joint weights."""
        palm, wrist = palm_frame(joints)
        near, least = nearness(hits, joints, _UNIT * self.config.joint_width)
        in_palm = partial(jnp.einsum, "wcd,wcn->wdn", palm)
        position = in_palm(samples.points - wrist[..., None])
        normal = in_palm(jnp.broadcast_to(samples.normals, hits.shape))
        away = in_palm(hits - jnp.einsum("wjc,wjn->wcn", joints, near))
        return jnp.concatenate([position, normal, 3.0 * away, 3.0 * least], axis=1), near

    def _sigma(self, raw: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """Standard deviation (metres) between the bounds, by a sigmoid on a log scale."""
        low, high = self.config.sigma_bounds
        return low * (high / low) ** jax.nn.sigmoid(raw)


def _to_palm(points: Float[Array, "B W 21 3"], joints: Float[Array, "B W 21 3"]) -> Float[Array, "B W 21 3"]:
    palm, wrist = palm_frame(joints)
    return jnp.einsum("bwjc,bwcd->bwjd", points - wrist[:, :, None], palm)


def _hands(window: Window, other: Float[Array, "B W 21 3"], joints: Float[Array, "B W 21 3"]) -> Float[Array, "B W 66"]:
    """Joints of the other hand in the palm's frame, limited to `_FAR`, and whether it is observed; whether this hand is
    a left one, and whether there are two."""
    away = _to_palm(other, joints)
    away = away / jnp.sqrt(1.0 + jnp.sum(away**2, axis=-1, keepdims=True) / _FAR**2)
    observed = window.other.observed[..., None]
    once = jnp.stack([window.left, window.two_handed], axis=-1)[:, None]
    flags = jnp.concatenate([observed, jnp.broadcast_to(once, (*observed.shape[:2], 2))], axis=-1)
    return jnp.concatenate([jnp.where(observed, _flat(away), 0.0), flags], axis=-1)


def _flat(paths: Float[Array, "B W ..."]) -> Float[Array, "B W C"]:
    return paths.reshape(*paths.shape[:2], -1)


def _length(vectors: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
    return jnp.sqrt(jnp.sum(vectors**2, axis=-1) + 1e-10)


def _nll(sigma: Float[Array, "*batch"], error: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Negative log likelihood of Laplace-distributed errors (cm, held fixed) with this standard deviation (m)."""
    sigma = _FINE * sigma
    return jnp.log(sigma) + 2**0.5 * jax.lax.stop_gradient(error) / sigma
