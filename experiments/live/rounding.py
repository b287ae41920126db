"""A layer's weights in few bits: each is rounded, and those after it make up for what that changed of the layer's sums.

This is GPTQ (Frantar et al., ICLR 2023, arXiv:2210.17323): optimal brain quantization (Frantar and Alistarh, NeurIPS
2022) in one order for all units. For inputs X the error of a sum is (w − q)ᵀ H (w − q) with H = XᵀX. Once weight i is
rounded, the best change of all later ones is −(wᵢ − qᵢ) [H⁻¹]ᵢⱼ / [H⁻¹]ᵢᵢ, of the inverse over what is left; the upper
Cholesky factor of H⁻¹ has these rows. The bias is the weight of a last input that is always 1 and is never rounded, so
it makes up for the rest. Inputs that are left out are weights rounded to 0, and come first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DAMPING = 0.01  # of the mean of H's diagonal, added to it: some inputs never vary


@dataclass(frozen=True)
class Inputs:
    """What rounding must know of a layer's inputs: the order to round in, and the factor of H⁻¹ in that order.

    order: indices of the inputs, n for the constant; left_out: how many come first, and have no weight.
    """

    order: np.ndarray
    factor: np.ndarray
    left_out: int

    @classmethod
    def of(cls, products: np.ndarray, kept: np.ndarray) -> Inputs:
        """products: H [n + 1, n + 1] with the constant last; kept: which of the n inputs have a weight."""
        diagonal = np.diag(products)[:-1]
        strongest = np.argsort(-diagonal, kind="stable")
        order = np.concatenate([np.flatnonzero(~kept), strongest[kept[strongest]], [len(diagonal)]])
        damped = products[np.ix_(order, order)].astype(np.float64)
        damped[np.diag_indices(len(diagonal))] += DAMPING * diagonal.mean()
        return cls(order, np.linalg.cholesky(np.linalg.inv(damped)).T, int(np.sum(~kept)))


def round_layer(
    kernel: np.ndarray, bias: np.ndarray, inputs: Inputs, bits: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """codes [n, units] int8, scales [units] float32 and bias [units] float32; a weight is its code times its scale.

    kernel: [n, units]; bias: [units]. The largest weight of each unit has the largest code, 2^(bits − 1) − 1.
    """
    top = 2 ** (bits - 1) - 1
    kept = inputs.order[inputs.left_out : -1]
    largest = np.abs(kernel[kept]).max(axis=0)
    scales = (np.where(largest, largest, 1) / top).astype(np.float32)
    weights = np.vstack([kernel, bias]).astype(np.float64)[inputs.order]
    codes = np.zeros(kernel.shape, np.int8)
    for step, index in enumerate(inputs.order[:-1]):
        if step >= inputs.left_out:
            codes[index] = np.clip(np.rint(weights[step] / scales), -top, top)
        row = inputs.factor[step]
        weights[step + 1 :] -= np.outer(row[step + 1 :], (weights[step] - codes[index] * scales) / row[step])
    return codes, scales, weights[-1].astype(np.float32)
