"""From a folder of pictures to those that carry a trigger, a chunk at a time: memory does not grow with the folder."""

from __future__ import annotations

import base64
import hashlib
import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ninspect.audit.open import open_settled
from ninspect.carriers.choose import judges_of
from ninspect.carriers.judge import Judge, Looked
from ninspect.carriers.suspects import suspects_of
from ninspect.errors import InconclusiveError, UsageError
from ninspect.machine import library_versions
from ninspect.measure.calibration import SCREEN
from ninspect.model import read_model
from ninspect.preprocess import Preprocess
from ninspect.report import Result, load_result
from ninspect.report.picture import png
from ninspect.report.schema import PreprocessInfo, now
from ninspect.report.screening import SHOWN, ChunkInfo, HeadInfo, ScreenedInfo, ShownInfo, SuspectInfo
from ninspect.requests import PreprocessOptions, ScanRequest, ScreenRequest
from ninspect.runtime import Network, Pixels
from ninspect.samples.depth import FULL, white_of
from ninspect.samples.interface import Source
from ninspect.samples.load import decode, listed

_CHUNK, _CHUNK_BYTES = 256, 2**26  # pictures at a time, and of their floats
_LARGEST_SIDE = 112
_DIMMED = 0.3  # what is outside a spot


def look_through(
    request: ScreenRequest, progress: Callable[[int, int], None], so_far: Callable[[ChunkInfo], None]
) -> HeadInfo:
    """Look at all pictures but the first few.

    Args:
        request: what is asked.
        progress: called with (pictures looked at, pictures to be looked at).
        so_far: gets each chunk; first of all one without pictures, which says how many there are.

    Raises:
        UsageError: something does not exist or does not fit, such as another model.
        InconclusiveError: there is nothing to look for.
    """
    result = load_result(request.result)
    suspects = suspects_of(result, request.classes, str(request.result))
    network, settings = _network(request, result)
    source = listed(request.images, network.input_map.image_shape)
    folder = _Folder(source, network, settings)
    so_far(folder.chunk(request.first))
    judges, all_drawn = judges_of(network, suspects, folder.some(request.seed), request.seed)
    best, left = _Best(), max(0, folder.total - request.first)
    for start in range(request.first, folder.total, folder.size):
        progress(start - request.first, left)
        indices = range(start, min(start + folder.size, folder.total))
        pixels, kept, unreadable = folder.read(indices)
        screened = list(_screened(judges, pixels, kept, source.names, best))
        so_far(folder.chunk(indices.stop, screened, unreadable))
    progress(left, left)
    return HeadInfo(
        date=now(),
        images=str(request.images),
        total=folder.total,
        notes=list(source.notes),
        result=str(request.result),
        model=str(request.model),
        sha256=str(result.model.sha256),
        class_names=result.class_names,
        suspects=[_described(judge) for judge in judges],
        drawn=all_drawn,
        threshold=SCREEN.score,
        versions=library_versions(),
        seed=request.seed,
    )


def _described(judge: Judge) -> SuspectInfo:
    return SuspectInfo(
        label=judge.suspect.label,
        source=judge.suspect.source,
        parts=judge.parts,
        partners=len(judge.partners.answers),
        controls=len(judge.controls),
        control=judge.control,
        doubt=judge.doubt,
    )


def _network(request: ScreenRequest, result: Result) -> tuple[Network, Preprocess]:
    """The model that the result is about, fed as it was for the scan.

    Raises:
        InconclusiveError: the scan stopped before it knew how.
        UsageError: it is another model.
    """
    if result.preprocess is None or result.model.sha256 is None:
        raise InconclusiveError(f"the scan of {request.result} stopped before it knew the model; scan it again")
    if (found := read_model(request.model).sha256) != result.model.sha256:
        raise UsageError(
            f"{request.model} is not the model that {request.result} is about (its SHA-256 begins with {found[:12]}, "
            f"that one's with {result.model.sha256[:12]}); give that one with --model, or scan this one"
        )
    scanned = ScanRequest(
        request.model,
        preprocess=_options(result.preprocess),
        output=None if result.request is None else result.request.output,
        images=_CHUNK,
        device=request.device,
        memory=request.memory,
    )
    network, known = open_settled(scanned)
    return network, known.preprocess


def _options(used: PreprocessInfo) -> PreprocessOptions:
    """The options that say again how pixels became the model's input."""

    def numbers(value: float | list[float]) -> float | tuple[float, ...]:
        return tuple(value) if isinstance(value, list) else value

    feed = {name: ",".join(map(str, np.ravel(value).tolist())) for name, value in (used.feed or {}).items()}
    return PreprocessOptions(
        scale=used.scale,
        mean=numbers(used.mean),
        std=numbers(used.std),
        layout=used.layout,  # type: ignore[arg-type]
        color=used.color,  # type: ignore[arg-type]
        size=used.size,
        resize=used.resize,  # type: ignore[arg-type]
        resize_to=used.resize_to,
        feed=tuple(f"{name}={value}" for name, value in feed.items()),
    )


@dataclass(frozen=True, eq=False)
class _Folder:
    """The pictures, in the order of their names."""

    source: Source
    network: Network
    settings: Preprocess

    @property
    def total(self) -> int:
        return len(self.source.names)

    @property
    def size(self) -> int:
        """Pictures of a chunk."""
        return max(1, min(_CHUNK, _CHUNK_BYTES // (4 * int(np.prod(self.network.input_map.image_shape)))))

    def read(self, indices: Sequence[int]) -> tuple[Pixels, list[int], list[str]]:
        """Pictures `[M, H, W, C]` in [0, 1], their M indices, and what could not be read."""
        pixels, kept, unreadable, _ = self._decode(indices, self.white)
        return pixels.astype(np.float32) / np.float32(255), kept, unreadable

    def some(self, seed: int) -> Pixels:
        """Pictures at random, always the same ones."""
        return self.read(self._chosen(seed))[0]

    @cached_property
    def white(self) -> int:
        """What is white in pictures of 16 bits, by some of them."""
        return white_of(self._decode(self._chosen(0), FULL)[3])

    def _chosen(self, seed: int) -> list[int]:
        most = min(SCREEN.sample, max(2 * SCREEN.controls, self.size))
        chosen: list[int] = np.random.default_rng(seed).permutation(self.total)[:most].tolist()
        return chosen

    def _decode(self, indices: Sequence[int], white: int) -> tuple[NDArray[np.uint8], list[int], list[str], int]:
        return decode(self.source, indices, self.network.input_map.image_shape, self.settings, white)

    @cached_property
    def listing(self) -> str:
        """SHA-256 of the names."""
        return hashlib.sha256("\0".join(self.source.names).encode("utf-8", "surrogateescape")).hexdigest()

    def chunk(self, end: int, screened: Sequence[ScreenedInfo] = (), unreadable: Sequence[str] = ()) -> ChunkInfo:
        """What is known of the pictures before `end`."""
        return ChunkInfo(
            listing=self.listing, next=end, total=self.total, screened=list(screened), unreadable=list(unreadable)
        )


@dataclass
class _Best:
    """The largest scores so far: only pictures with one of these are shown."""

    scores: list[float] = field(default_factory=list)

    def take(self, score: float) -> bool:
        """Whether a score is one of them; from now on it is."""
        if len(self.scores) < SHOWN:
            heapq.heappush(self.scores, score)
            return True
        return heapq.heappushpop(self.scores, score) < score


def _screened(
    judges: Sequence[Judge], pixels: Pixels, indices: Sequence[int], names: Sequence[str], best: _Best
) -> Iterator[ScreenedInfo]:
    """What is said of the pictures that have a suspected answer; of two triggers to one class, the likelier one."""
    if not len(pixels):
        return
    answers = judges[0].network.logits(pixels).argmax(axis=1)
    for label in dict.fromkeys(judge.suspect.label for judge in judges):
        there = np.flatnonzero(answers == label)
        able = [judge for judge in judges if judge.suspect.label == label and judge.parts]
        if not len(there) or not able:
            continue
        looks = [judge.look(pixels[there], answers[there]) for judge in able]
        chosen = np.argmax([look.score for look in looks], axis=0)
        for number, (at, one) in enumerate(zip(there.tolist(), chosen.tolist(), strict=True)):
            shown = best.take(float(looks[one].score[number]))
            yield _described_picture(looks[one], number, label, indices[at], names, pixels[at] if shown else None)


def _described_picture(
    look: Looked, number: int, label: int, index: int, names: Sequence[str], shown: NDArray[np.float32] | None
) -> ScreenedInfo:
    score, moved, kept = (float(values[number]) for values in (look.score, look.moved, look.kept))
    bright = _DIMMED + (1 - _DIMMED) * look.spots[number][..., None]
    return ScreenedInfo(
        name=names[index],
        index=index,
        answer=label,
        score=round(score, 6),
        found=score >= SCREEN.score,
        part=look.parts[number],
        moved=round(moved, 6),
        kept=round(kept, 6),
        shown=None if shown is None else ShownInfo(picture=_picture(shown), spot=_picture(shown * bright)),
    )


def _picture(image: NDArray[np.float32]) -> str:
    return base64.b64encode(png(image, _LARGEST_SIDE)).decode("ascii")
