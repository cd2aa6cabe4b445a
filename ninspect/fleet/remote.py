"""Models and samples that lie elsewhere, such as `s3://bucket/models`: brought here before anything reads them.

`Path` makes one slash of two, so a path such as `s3:/bucket/model.onnx` stands for the address.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from ninspect.errors import NinspectError, UsageError
from ninspect.files import COMPANIONS, reason
from ninspect.fleet.identity import Contents, contents_of_model, contents_of_samples, identity, is_model, named_in
from ninspect.fleet.marks import ABSENT, Marks, mark, marks
from ninspect.requests import ScanRequest

if TYPE_CHECKING:
    from ninspect.fleet.store import Store
    from ninspect.report import Result

DEFAULT_LIMIT = 8 * 1024**3
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)")
_PIECE = 2**20
_INSTALL = "pip install 'ninspect[remote]'"


def address_of(path: Path) -> str | None:
    """The address that a path stands for; None where it is one of this machine.

    >>> address_of(Path("s3://bucket/model.onnx")), address_of(Path("models/model.onnx"))
    ('s3://bucket/model.onnx', None)
    """
    found = _ADDRESS.fullmatch(path.as_posix())
    return None if found is None else f"{found[1]}://{'/' * (found[1] == 'file')}{found[2]}"


def named(result: Result, asked: ScanRequest, here: ScanRequest) -> Result:
    """A result that names the model and the samples as they were asked for, and not the files that were read.

    Args:
        result: of a scan, or of an earlier one of the same bytes.
        asked: what was asked for.
        here: the same, of files of this machine.
    """
    if asked != here:
        text = result.to_json()
        places = ((asked.model, here.model), (asked.samples, here.samples))
        for there, brought in (*places, *zip(asked.reference, here.reference, strict=True)):
            if there != brought and there is not None and brought is not None:
                text = text.replace(str(brought.parent), _address(there).rstrip("/").rpartition("/")[0])
        result = type(result).from_json(text.encode())
    model = type(result.model).model_validate(result.model.model_dump() | {"path": _address(asked.model)})
    return result.model_copy(update={"model": model})


def _address(path: Path) -> str:
    return address_of(path) or str(path)


def models_at(address: str) -> list[Path]:
    """The models at an address: of a folder every `*.onnx` in it and below, hidden ones left out.

    Raises:
        UsageError: it cannot be listed.
    """
    if is_model(Path(address)):
        return [Path(address)]
    with _files_at(address) as (files, inside):
        found = sorted(name for name in files.find(inside) if is_model(Path(name)))
        below = [name for name in found if "/." not in name.removeprefix(inside)]
        return [Path(files.unstrip_protocol(name)) for name in below]


class Fetcher:
    """Brings what requests name to this machine, and removes it when it is not needed any more."""

    def __init__(self, limit: int | None = None, store: Store | None = None) -> None:
        """Nothing is fetched yet.

        Args:
            limit: bytes of a model with the files beside it, or of samples; None: `DEFAULT_LIMIT`.
            store: keeps notes of what was fetched; None: nothing is noted.
        """
        self._limit, self._store = DEFAULT_LIMIT if limit is None else limit, store
        self._samples, self._contents_of_samples = cache(self._fetch_samples), cache(self._look_at_samples)
        self._reference = cache(self._fetch_model)
        self._folders: set[Path] = set()

    def key(self, request: ScanRequest) -> str | None:
        """The `identity` of a request whose model is as it was when it was fetched last, by the marks of its files.

        Returns:
            None where that is not known, and of a model of this machine.
        """
        address, samples = address_of(request.model), None
        try:
            model = None if address is None else self._look_at_model(address)
            if model is None:
                return None
            if request.samples is not None and (folder := address_of(request.samples)):
                samples = self._contents_of_samples(folder)
            return identity(self._with_references(request), model, samples)
        except (NinspectError, OSError):
            return None

    def fetch(self, request: ScanRequest) -> ScanRequest:
        """A request that names files of this machine.

        Raises:
            UsageError: something is not there, cannot be fetched, or is too large.
            WriteError: a note of it cannot be kept.
        """
        if request.samples is not None and (address := address_of(request.samples)):
            request = replace(request, samples=self._samples(address))
        request = self._with_references(request)
        if address := address_of(request.model):
            request = replace(request, model=self._fetch_model(address))
        return request

    def _with_references(self, request: ScanRequest) -> ScanRequest:
        """A request whose references are fetched, once for many models."""
        here = [(self._reference(address) if (address := address_of(path)) else path) for path in request.reference]
        return replace(request, reference=tuple(here))

    def forget(self, fetched: ScanRequest) -> None:
        """Remove the model of a request, if it was fetched."""
        self._remove(fetched.model.parent)

    def close(self) -> None:
        """Remove all that is left."""
        for folder in [*self._folders]:
            self._remove(folder)

    def _new_folder(self) -> Path:
        self._folders.add(folder := Path(mkdtemp(prefix="ninspect-")))
        return folder

    def _remove(self, folder: Path) -> None:
        if folder in self._folders:
            shutil.rmtree(folder)
            self._folders.remove(folder)

    def _fetch_model(self, address: str) -> Path:
        """A model, the files beside it that belong to it, and those that it may keep weights in."""
        with _files_at(address) as (files, inside):
            above, model = inside.rpartition("/")[0], self._new_folder() / PurePosixPath(inside).name
            seen = marks(files, [inside, *(f"{above}/{name}" for name in COMPANIONS)])
            left = _copy(files, inside, model, self._limit)
            weights = [path for path in named_in(model, _below_address(files, above)) if not is_model(path)]
            seen |= marks(files, [f"{above}/{path.as_posix()}" for path in weights])
            for name in seen:
                if name != inside and seen[name] != ABSENT and files.exists(name):
                    left = _copy(files, name, _below(model.parent, name.removeprefix(above)), left)
            files.invalidate_cache(above)
            self._note(address, seen, marks(files, seen), partial(contents_of_model, model))
        return model

    def _fetch_samples(self, address: str) -> Path:
        """A file, or all of a folder."""
        with _files_at(address) as (files, inside):
            root, left = self._new_folder() / PurePosixPath(inside).name, self._limit
            seen = _marks_of_samples(files, inside)
            for name in seen:
                left = _copy(files, name, _below(root, name.removeprefix(inside)), left)
            files.invalidate_cache(inside)
            self._note(address, seen, _marks_of_samples(files, inside), partial(contents_of_samples, root))
        return root

    def _note(self, address: str, before: Marks, after: Marks, contents: Callable[[], Contents]) -> None:
        """Note what was fetched, if every file has a mark and was not replaced meanwhile."""
        known = {name: said for name, said in before.items() if said is not None}
        packed = "::" in address  # the times of an archive are those of what was packed
        if self._store is not None and known and known == before == after and not packed:
            self._store.keep_note(address, known, contents())

    def _noted(self, address: str, look: Callable[[Any, str, Marks], Marks]) -> Contents | None:
        """What an address holds, without fetching it; None where it is not known, or not the same any more."""
        note = None if self._store is None else self._store.note(address)
        if note is None:
            return None
        with _files_at(address) as (files, inside):
            return note.contents if look(files, inside, {**note.marks}) == note.marks else None

    def _look_at_model(self, address: str) -> Contents | None:
        return self._noted(address, lambda files, _, noted: marks(files, noted))

    def _look_at_samples(self, address: str) -> Contents:
        """Samples serve many models: they are fetched where it is not known what they are."""
        noted = self._noted(address, lambda files, inside, _: _marks_of_samples(files, inside))
        return noted or contents_of_samples(self._samples(address))


@contextmanager
def _files_at(address: str) -> Iterator[tuple[Any, str]]:
    """The file system of an address, and the place within it; what goes wrong in the block is said in a sentence.

    Raises:
        UsageError: nothing is there, it may not be read, or a package is missing.
    """
    try:
        from fsspec.core import url_to_fs

        yield url_to_fs(address)
    except NinspectError:
        raise
    except ImportError as error:
        raise UsageError(f"{address} needs another package ({reason(error)}); {_INSTALL}") from error
    except FileNotFoundError as error:
        raise UsageError(f"there is nothing at {address}; correct the address") from error
    except Exception as error:  # of many kinds
        raise UsageError(f"{address} cannot be read ({reason(error)}); correct the address") from error


def _marks_of_samples(files: Any, inside: str) -> Marks:
    """Of a file, or of all in a folder."""
    if not _is_folder(files, inside):
        return marks(files, [inside])
    return {name: mark(info) for name, info in files.find(inside, detail=True).items()}


def _is_folder(files: Any, inside: str) -> bool:
    """Web servers have no folders, but pages of links: what is no page is not fetched to look for links."""
    return bool(files.info(inside).get("mimetype", "text/html") == "text/html" and files.isdir(inside))


def _below_address(files: Any, folder: str) -> Iterator[Path]:
    """Files in a folder and below, relative to it; listed when the first is asked for."""
    yield from (Path(name.removeprefix(f"{folder}/")) for name in files.find(folder))


def _below(folder: Path, name: str) -> Path:
    """A place in a folder, whatever a server calls a file."""
    return folder.joinpath(*[part for part in PurePosixPath(name).parts if part not in ("/", "..")])


def _copy(files: Any, name: str, target: Path, left: int) -> int:
    """Bring one file here, and say how many bytes more there may be.

    Raises:
        UsageError: it has more.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with files.open(name, "rb") as source, target.open("wb") as copy:
        while piece := source.read(_PIECE):
            if (left := left - len(piece)) < 0:
                raise UsageError(f"{name} is larger than what may be fetched; allow more with --max-download")
            copy.write(piece)
    return left


@contextmanager
def fetched(request: ScanRequest, limit: int | None = None) -> Iterator[ScanRequest]:
    """One request that names files of this machine, as long as the block lasts."""
    fetcher = Fetcher(limit)
    try:
        yield fetcher.fetch(request)
    finally:
        fetcher.close()
