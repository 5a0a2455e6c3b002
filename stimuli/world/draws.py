"""Random numbers by name: every draw of the world comes from a seed and the draw's own name."""

from __future__ import annotations

import hashlib

import numpy as np


def named_generator(seed: int, *names: object) -> np.random.Generator:
    """Return the generator that belongs to a seed and a sequence of names.

    The names are hashed (SHA-256), so that the draws of one name never depend on how many draws
    another name made, nor on the process, the machine or Python's own hash.
    """
    text = "\x1f".join(str(name) for name in (seed, *names))
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype="<u4")
    return np.random.default_rng(np.random.SeedSequence(words.tolist()))
