"""A small ensemble of neural networks whose last layer is a sum of curve basis functions. NumPy only.

After LCNet (Klein et al., ICLR 2017): a network turns features into the parameters of basis functions of time,
so that what it learns is whole curves. There the posterior is sampled by SGHMC; here it is approximated by
members that each see their own two thirds of the curves and are pulled towards their own draw from the prior
(randomised maximum a posteriori, as in Pearce et al., AISTATS 2020). All draws have a fixed seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimator.curve import Array

__all__ = ["Ensemble", "Rows", "train"]

NUM_MEMBERS = 5
NUM_HIDDEN = 12
NUM_BASES = 3
NUM_STEPS = 130
BATCH = 64
LEARNING_RATE = 0.05
SEEN_SHARE = 0.67
"""Of the curves, in each member's training; the others tell its error."""

RATES = np.array([6.0, 3.0, 1.5])
"""Where the rates of the bases start, per full budget."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """What is learned: features at some epoch, and the gain from there to some later ones."""

    features: Array  # [r, k], standardised
    times: Array  # [r, 3], from that epoch on, in full budgets
    gains: Array  # [r, 3]
    curves: NDArray[np.intp]  # [r]: which curve a row is of


@dataclass(frozen=True, kw_only=True, slots=True)
class Ensemble:
    """The trained members' weights: input to hidden, and hidden to basis parameters, each with its offset last."""

    hidden: Array  # [m, k + 1, h]
    output: Array  # [m, h + 1, 2 * bases]

    def gains(self, features: Array, times: Array) -> Array:
        """The gain after `times` [r, j] by each member, [m, r, j]."""
        return _forward(self.hidden, self.output, features, times)[0]


def train(rows: Rows, *, precision: float, seed: int = 0) -> tuple[Ensemble, NDArray[np.bool_]]:
    """The ensemble, and which member has not seen which row, [m, r]; each row is unseen by one at least.

    Adam on squared errors in units of their own standard deviation; `precision` is that of the prior.
    """
    draw = np.random.default_rng(seed)
    num_curves = int(rows.curves.max()) + 1
    unseen_curves = _unseen(draw, num_curves)
    weights = [
        draw.standard_normal((NUM_MEMBERS, rows.features.shape[1] + 1, NUM_HIDDEN))
        / np.sqrt(rows.features.shape[1] + 1),
        draw.standard_normal((NUM_MEMBERS, NUM_HIDDEN + 1, 2 * NUM_BASES)) * 0.3,
    ]
    prior = [weight.copy() for weight in weights]
    pull = precision / max(len(rows.gains) * SEEN_SHARE, 1.0)
    scale = float(rows.gains.std()) + 1e-3
    moments = [(np.zeros_like(weight), np.zeros_like(weight)) for weight in weights]
    pools = [np.flatnonzero(~unseen[rows.curves]) for unseen in unseen_curves]
    for step in range(1, NUM_STEPS + 1):
        picked = np.array([pool[draw.integers(len(pool), size=BATCH)] for pool in pools])
        gradients = _gradients(weights, rows, picked, scale)
        rate = LEARNING_RATE * (1.0 - step / (NUM_STEPS + 1.0))
        for weight, start, gradient, (first, second) in zip(weights, prior, gradients, moments, strict=True):
            gradient += pull * (weight - start)
            first += 0.1 * (gradient - first)
            second += 0.01 * (gradient**2 - second)
            ahead = first / (1.0 - 0.9**step)
            weight -= rate * ahead / (np.sqrt(second / (1.0 - 0.99**step)) + 1e-8)
    return Ensemble(hidden=weights[0], output=weights[1]), unseen_curves[:, rows.curves]


def _unseen(draw: np.random.Generator, num_curves: int) -> NDArray[np.bool_]:
    """Which member does not see which curve, [m, n]: a share of each, and each curve by one member at least."""
    ranks = np.array([draw.permutation(num_curves) for _ in range(NUM_MEMBERS)])
    unseen: NDArray[np.bool_] = ranks >= SEEN_SHARE * num_curves
    never = np.flatnonzero(~unseen.any(axis=0))
    unseen[never % NUM_MEMBERS, never] = True
    return unseen


def _forward(hidden: Array, output: Array, features: Array, times: Array) -> tuple[Array, ...]:
    """Gains [m, r, j], and what the gradients need; `features` and `times` may have the members in front."""
    active = np.tanh(features @ hidden[:, :-1] + hidden[:, -1:])
    raw = active @ output[:, :-1] + output[:, -1:]
    slopes, speeds = raw[..., :NUM_BASES], np.clip(raw[..., NUM_BASES:], -4.0, 4.0)
    weights = np.logaddexp(0.0, slopes - 2.0)
    rates = RATES * np.exp(speeds)
    scaled = rates[..., None, :] * times[..., :, None]  # [m, r, j, bases]
    decay, ahead = np.exp(-scaled[..., 0]), 1.0 + scaled[..., 1:]
    bases = np.stack(
        (1.0 - decay, scaled[..., 1] / ahead[..., 0], np.log(ahead[..., 1])), axis=-1
    )  # saturating, as a power law, and as a logarithm
    gains = np.sum(bases * weights[..., None, :], axis=-1)
    changes = np.stack(
        (scaled[..., 0] * decay, scaled[..., 1] / ahead[..., 0] ** 2, scaled[..., 2] / ahead[..., 1]), axis=-1
    )  # of the bases, by the logarithm of their rates
    return gains, active, slopes, weights, bases, changes


def _gradients(weights: list[Array], rows: Rows, picked: NDArray[np.intp], scale: float) -> list[Array]:
    hidden, output = weights
    features, times, gains = rows.features[picked], rows.times[picked], rows.gains[picked]
    made, active, slopes, amounts, bases, changes = _forward(hidden, output, features, times)
    errors = (made - gains) / (scale**2 * picked.shape[1] * gains.shape[2])
    by_slope = np.sum(errors[..., None] * bases, axis=-2) / (1.0 + np.exp(2.0 - slopes))
    by_speed = np.sum(errors[..., None] * changes, axis=-2) * amounts
    raw = np.concatenate((by_slope, by_speed), axis=-1)
    before = (raw @ output[:, :-1].swapaxes(1, 2)) * (1.0 - active**2)
    return [
        np.concatenate((features.swapaxes(1, 2) @ before, before.sum(axis=1, keepdims=True)), axis=1),
        np.concatenate((active.swapaxes(1, 2) @ raw, raw.sum(axis=1, keepdims=True)), axis=1),
    ]
