"""Vectors in which it is known where an attribute is hidden."""

import numpy as np


def noise(rng, readers=1000, dim=16):
    return rng.standard_normal((readers, dim)).astype(np.float16)


def genders(rng, readers=1000, share=0.4):
    return ["F" if female else "M" for female in rng.random(readers) < share]


def with_linear_bit(vectors, values):
    """Add the attribute to one dimension."""
    planted = vectors.copy()
    planted[:, 3] += 3.0 * np.array([value == "F" for value in values])
    return planted


def with_xor(vectors, values, rng):
    """Hide the attribute in two signs: neither tells anything alone."""
    sign = rng.choice([-1.0, 1.0], len(values))
    planted = vectors.copy()
    planted[:, 3] = sign + 0.2 * vectors[:, 3]
    planted[:, 5] = np.where(np.array(values) == "F", sign, -sign) + 0.2 * vectors[:, 5]
    return planted
