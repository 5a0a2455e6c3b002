"""Which frames are read, how they are pooled, and that a thread brings them in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from models.frames import FrameCache
from models.inference import Reader
from models.moments import evenly_spaced, moments_of, spans
from models.network import Network
from models.pooling import Pool
from models.prefetch import Courier, prefetched
from study.fields import Model

CLIPS = pd.DataFrame({"start": [100, 104, 105], "n_frames": [4, 1, 6]})


def test_all_frames_clip_after_clip() -> None:
    moments = moments_of(CLIPS)
    assert moments.positions.tolist() == [100, 101, 102, 103, 104, *range(105, 111)]
    assert moments.clip.tolist() == [0] * 4 + [1] + [2] * 6


def test_some_frames_are_evenly_spaced() -> None:
    moments = moments_of(CLIPS, per_clip=2)
    assert moments.positions.tolist() == [101, 103, 104, 106, 109]
    for n in range(1, 40):
        for wanted in range(1, n):
            gaps = np.diff(evenly_spaced(n, wanted))
            assert len(gaps) == wanted - 1
            assert gaps.size == 0 or gaps.max() - gaps.min() <= 1


def test_spans_cover_the_clip() -> None:
    for n in range(1, 40):
        found = spans(n, 8, None)
        assert found.shape == (-(-n // 8), 8)
        assert set(found.ravel()) == set(range(n))
    assert spans(3, 4, None).tolist() == [[0, 0, 1, 2]]
    assert spans(20, 4, 9).tolist() == [[0, 1, 2, 3], [16, 17, 18, 19]]
    assert spans(20, 4, 1).tolist() == [[8, 9, 10, 11]]
    moments = moments_of(CLIPS, at_once=4)
    assert moments.positions[:, 0].tolist() == [100, 104, 105, 107]
    assert moments.clip.tolist() == [0, 1, 2, 2]
    assert moments_of(CLIPS.iloc[:0], at_once=4).positions.shape == (0, 4)


@pytest.fixture(scope="module")
def frames() -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities of 40 frames of 5 clips."""
    rng = np.random.default_rng(1)
    clip = np.sort(np.r_[np.arange(5), rng.integers(5, size=35)])
    logits = rng.normal(size=(40, 6)) * 3
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), clip


def _pooled(scores: np.ndarray, clip: np.ndarray, how: str, batch: int = 7) -> np.ndarray:
    pool = Pool(clip, int(clip.max()) + 1, scores.shape[1], how)  # type: ignore[arg-type]
    for start in range(0, len(scores), batch):
        pool.add(scores[start : start + batch])
    return pool.log_probabilities()


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_pooling_is_the_mean_over_a_clip(frames: tuple[np.ndarray, np.ndarray], batch: int) -> None:
    scores, clip = frames
    log_probability = _pooled(scores, clip, "log_probability", batch)
    probability = _pooled(scores, clip, "probability", batch)
    for name in range(5):
        own = scores[clip == name]
        np.testing.assert_allclose(log_probability[name], own.mean(axis=0))
        np.testing.assert_allclose(probability[name], np.log(np.exp(own).mean(axis=0)))


def test_votes_count_first_and_probabilities_decide_between_equals() -> None:
    frames = np.log([[0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1], [0.0001, 0.9, 0.0999]])
    # Two votes each for the first two classes; the second has more probability.
    pooled = np.exp(_pooled(frames, np.zeros(4, int), "vote")[0])
    assert pooled.sum() == pytest.approx(1.0)
    assert pooled.argmax() == 1
    np.testing.assert_allclose(pooled, (np.array([2, 2, 0]) + np.exp(frames).mean(axis=0)) / 5)
    # Two votes against one stay ahead, however sure the one is.
    frames = np.log([[0.34, 0.33, 0.33], [0.34, 0.33, 0.33], [0.0001, 0.9998, 0.0001]])
    assert _pooled(frames, np.zeros(3, int), "vote")[0].argmax() == 0


def test_impossible_classes_stay_finite() -> None:
    frames = np.array([[0.0, -2000.0], [0.0, -1500.0]])
    for how in ("log_probability", "probability", "vote"):
        assert np.isfinite(_pooled(frames, np.zeros(2, int), how)).all()


def test_items_come_ahead_and_in_order() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            yield number

    found = []
    for number in prefetched(numbers(), ahead=3):
        if number == 0:
            _wait_until(lambda: len(made) >= 5)
        # Three lie ready, and one waits for its place.
        assert len(made) <= number + 5
        found.append(number)
    assert found == list(range(20))


def test_errors_come_where_their_item_would() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("no second one")

    items = prefetched(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="no second one"):
        next(items)


def test_the_thread_ends_with_its_consumer() -> None:
    before = threading.active_count()
    items = prefetched(iter(range(1000)))
    next(items)
    items.close()
    assert threading.active_count() == before


def test_a_courier_brings_what_it_got() -> None:
    courier = Courier(torch.device("cpu"))
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert courier.receive(courier.send(array)).tolist() == array.tolist()


class _Mean(Network):
    """Scores frames by the mean of their channels: nothing is slower than the reading."""

    def forward(self, frames: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"combined": frames["whole"].mean(dim=(2, 3))}


def _memory_mib(kind: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own figures")
def test_ten_thousand_clips_do_not_fill_the_memory(tmp_path: Path) -> None:
    n_clips, n_frames, side = 10_000, 4, 16
    shape = (n_clips * n_frames, side, side, 3)
    path = tmp_path / "frames.npy"
    np.lib.format.open_memmap(path, "w+", np.uint8, shape).flush()
    clips = pd.DataFrame({"start": np.arange(n_clips) * n_frames, "n_frames": n_frames})
    noted: list[tuple[float, float]] = []

    class Watched(FrameCache):
        def take(self, view: str, positions: np.ndarray) -> np.ndarray:
            noted.append((_memory_mib("RssAnon"), _memory_mib("RssFile")))
            return super().take(view, positions)

    cache = Watched(clips, {"body_only": np.asarray(np.load(path, mmap_mode="r"))})
    network = _Mean(Model(name="mean", architecture="baseline"), 3, side)
    scores = Reader(network, cache, torch.device("cpu")).clip_scores(clips, {"whole": "body_only"})
    assert scores.shape == (n_clips, 3)
    own, mapped = np.array(noted).T
    quarter = len(noted) // 4
    file_mib = path.stat().st_size / 2**20
    assert file_mib > 29
    assert own[quarter:].max() - own[quarter] < 10
    assert mapped[quarter:].max() - mapped[:quarter].max() < file_mib / 4


def _wait_until(is_so: object, most_s: float = 5.0) -> None:
    end = time.monotonic() + most_s
    while not is_so() and time.monotonic() < end:  # type: ignore[operator]
        time.sleep(0.005)
    assert is_so()  # type: ignore[operator]
