"""A layer's weights in few bits: each is rounded, and those after it make up for what that changed of the layer's sums.

This is GPTQ (Frantar et al., ICLR 2023, arXiv:2210.17323): optimal brain quantization (Frantar and Alistarh, NeurIPS
2022) in one order for all units. For inputs X the error of a sum is (w − q)ᵀ H (w − q) with H = XᵀX. Once weight i is
rounded, the best change of all later ones is −(wᵢ − qᵢ) [H⁻¹]ᵢⱼ / [H⁻¹]ᵢᵢ, of the inverse over what is left; the upper
Cholesky factor U of H⁻¹ has these rows. The bias is the weight of a last input that is always 1 and is never rounded,
so it makes up for the rest. Inputs that are left out are weights rounded to 0, and come first.

What then remains of weight i's error is (wᵢ − qᵢ)² / Uᵢᵢ². So the same step for all would spend bits on inputs that
hardly vary, or that others nearly say. Steps in proportion to Uᵢᵢ let every weight add as much error, which takes the
fewest bits once the codes are written by their entropy (reverse water-filling).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

DAMPING = 1e-4  # of the mean of H's diagonal, added to it: some inputs never vary
OCTAVE = 4  # exponents for a factor of 2
LEFT_OUT = -128  # in place of the exponent of an input that has no weight
LARGEST = 127  # code, and exponent


def exponents(steps: np.ndarray, towards: Callable[[np.ndarray], np.ndarray] = np.rint) -> np.ndarray:
    """The exponents of these steps, int8, or those of the coarsest or finest ones that there are."""
    finest = 2.0 ** (-LARGEST / OCTAVE)
    return np.asarray(towards(OCTAVE * np.log2(np.clip(steps, finest, 1 / finest))), np.int8)


@dataclass(frozen=True)
class Inputs:
    """What rounding must know of a layer's inputs: the order to round in, and the factor of H⁻¹ in that order.

    order: indices of the inputs, n for the constant; left_out: how many come first, and have no weight; exponents: of
    each input's steps [n] int8.
    """

    order: np.ndarray
    factor: np.ndarray
    left_out: int
    exponents: np.ndarray

    @classmethod
    def of(cls, products: np.ndarray, kept: np.ndarray) -> Inputs:
        """products: H [n + 1, n + 1] with the constant last; kept: which of the n inputs have a weight."""
        diagonal = np.diag(products)[:-1]
        strongest = np.argsort(-diagonal, kind="stable")
        order = np.concatenate([np.flatnonzero(~kept), strongest[kept[strongest]], [len(diagonal)]])
        damped = products[np.ix_(order, order)].astype(np.float64)
        damped[np.diag_indices(len(diagonal))] += DAMPING * diagonal.mean()
        factor = np.linalg.cholesky(np.linalg.inv(damped)).T
        wanted = np.empty(len(order))
        wanted[order] = np.diag(factor) * np.sqrt(products[-1, -1])
        return cls(order, factor, int(np.sum(~kept)), np.where(kept, exponents(wanted[:-1]), np.int8(LEFT_OUT)))


@dataclass(frozen=True)
class Rounded:
    """A layer in few bits. A weight is its code times its step, 2 to the (input's + unit's exponent) / OCTAVE.

    codes: [n, units] int8; inputs: [n] int8 exponents; units: [units] int8 exponents; bias: [units] float32.
    """

    codes: np.ndarray
    inputs: np.ndarray
    units: np.ndarray
    bias: np.ndarray

    @property
    def kernel(self) -> np.ndarray:
        return np.asarray(self.codes * steps(self.inputs, self.units))


def steps(inputs: np.ndarray, units: np.ndarray) -> np.ndarray:
    """The steps [n, units] of these exponents, in double precision."""
    return np.asarray(np.exp2(np.add.outer(inputs.astype(float), units) / OCTAVE))


def round_layer(kernel: np.ndarray, bias: np.ndarray, inputs: Inputs, wanted: np.ndarray) -> Rounded:
    """kernel: [n, units]; bias: [units]; wanted: [units], the step of each unit for an input that varies by 1.

    A unit's steps are coarser than wanted where its largest weight would need a larger code than there is.
    """
    kept = inputs.order[inputs.left_out : -1]
    largest = (np.abs(kernel[kept]) / steps(inputs.exponents[kept], np.zeros(1))).max(axis=0)
    units = np.maximum(exponents(wanted), exponents(largest / LARGEST, np.ceil))
    step = steps(inputs.exponents, units)
    weights = np.vstack([kernel, bias]).astype(np.float64)[inputs.order]
    codes = np.zeros(kernel.shape, np.int8)
    for place, index in enumerate(inputs.order[:-1]):
        if place >= inputs.left_out:
            codes[index] = np.clip(np.rint(weights[place] / step[index]), -LARGEST, LARGEST)
        row = inputs.factor[place]
        weights[place + 1 :] -= np.outer(row[place + 1 :], (weights[place] - codes[index] * step[index]) / row[place])
    return Rounded(codes, inputs.exponents, units, weights[-1].astype(np.float32))
