"""Models and samples that lie elsewhere: on a web server of this machine."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import onnx
import pytest

from ninspect.errors import UsageError
from ninspect.fleet.identity import key_of
from ninspect.fleet.marks import mark
from ninspect.fleet.remote import Fetcher, address_of, models_at
from ninspect.fleet.store import Store
from ninspect.requests import ScanRequest
from tests.fleet.fast import FAST, verdicts
from tests.support import even_weights, linear_model, names_in, ninspect, random_pixels, save, save_images

pytest.importorskip("aiohttp", reason="needs aiohttp")


class Recording(SimpleHTTPRequestHandler):
    sent: ClassVar[list[str]] = []  # the files that were asked for, not only asked about

    def do_GET(self) -> None:
        self.sent.append(self.path)
        super().do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    Recording.sent.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Recording, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def settle(folder: Path) -> None:
    """Every file was written a while ago: of one that was written just now, its time does not say that it stays."""
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


def test_a_folder_elsewhere_is_scanned_as_one_here(folder: Path, server: str, temporary: Path) -> None:
    (folder / "models" / "empty.onnx").write_bytes(b"")
    (folder / "models" / ".hidden.onnx").write_bytes(b"")
    settle(folder)
    command = [f"{server}/models", "-s", f"{server}/images.npz", *FAST, "--format", "json", "--results", "results"]
    run = ninspect("scan", *command, cwd=folder)
    assert run.returncode == 1, run.stderr
    assert verdicts(run.stdout) == {
        "bad.onnx": "suspected",
        "empty.onnx": "inconclusive",
        "fine.onnx": "clean",
        "good.onnx": "clean",
    }
    assert f"{server}/models/empty.onnx is empty" in run.stdout
    assert str(temporary) not in run.stdout
    assert names_in(temporary) == []
    Recording.sent.clear()
    assert ninspect("scan", *command, cwd=folder).stderr.count("(known)") == 3
    assert {path for path in Recording.sent if path.endswith((".onnx", ".npz"))} == {
        "/models/empty.onnx",
        "/images.npz",
    }


def test_what_is_known_of_a_model_elsewhere_holds_until_a_file_of_it_changes(
    folder: Path, server: str, temporary: Path
) -> None:
    store = Store(folder / "results")
    models = folder / "models"

    def known(**more: Any) -> str | None:
        return Fetcher(None, store).key(replace(asked, **more))

    def fetched() -> str:
        fetcher = Fetcher(None, store)
        here = fetcher.fetch(asked)
        key = key_of(here)
        fetcher.close()
        return key

    asked = ScanRequest(Path(f"{server}/models/bad.onnx"), Path(f"{server}/images.npz"))
    fetched()
    assert known() is None  # written just now: its time does not say that it stays as it is
    settle(folder)
    first = fetched()
    Recording.sent.clear()
    assert known() == first
    assert not {"/models/bad.onnx", "/images.npz"} & {*Recording.sent}
    assert known(seed=1) not in (None, first)
    assert known(samples=None) not in (None, first)
    (models / "classes.txt").write_text("\n".join("abcdefghij"))
    assert known() is None
    settle(folder)
    assert first != fetched() == known()
    save(linear_model(even_weights()), models / "bad.onnx")
    assert known() is None
    settle(folder)
    second = fetched()
    save_images(folder / "images.npz", random_pixels(100, (12, 12, 1)))
    assert known() not in (None, second)
    for note in (folder / "results").iterdir():
        note.write_text("{}")
    assert known() is None


@pytest.mark.parametrize(
    ("info", "other"),
    [
        ({"size": 3, "ETag": '"1"'}, {"size": 3, "ETag": '"2"'}),
        ({"size": 3, "blob_id": "1"}, {"size": 3, "blob_id": "2"}),
        ({"size": 3, "mtime": 1e9}, {"size": 4, "mtime": 1e9}),
        ({"size": 3, "Last-Modified": "Sun, 09 Sep 2001 01:46:40 GMT"}, {"size": 3, "mtime": 1e9 + 1}),
        ({"size": 3, "LastModified": datetime(2001, 1, 1, tzinfo=UTC)}, {"size": 3, "LastModified": datetime.now(UTC)}),
    ],
)
def test_a_mark_is_another_where_the_content_is(info: dict[str, Any], other: dict[str, Any]) -> None:
    assert mark(info) is not None
    assert mark(info) == mark(info | {"name": "a"})
    assert mark(info) != mark(other)


@pytest.mark.parametrize(
    "info",
    [{}, {"size": 3}, {"mtime": 1e9}, {"size": 3, "mtime": time.time() + 9e9}, {"size": 3, "Last-Modified": "?"}],
)
def test_what_says_nothing_of_the_content_is_no_mark(info: dict[str, Any]) -> None:
    assert mark(info) is None
    assert mark(info | {"ETag": 'W/"1"'}) is None


def test_one_model_elsewhere_has_the_report_of_one_here(folder: Path, server: str, temporary: Path) -> None:
    run = ninspect("scan", f"{server}/models/bad.onnx", "images.npz", *FAST, cwd=folder)
    assert (run.returncode, run.stdout.splitlines()[0]) == (1, f"SUSPECTED  {server}/models/bad.onnx")
    assert names_in(temporary) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{server}/models/none.onnx"], "there is nothing at {server}/models/none.onnx"),
        (["{server}/models/bad.onnx", "--max-download", "1K"], "allow more with --max-download"),
        (["{server}/models/vendor/none"], "there is no"),
        (["nosuch://place/model.onnx"], "Protocol not known"),
    ],
)
def test_what_cannot_be_fetched_is_a_sentence(
    folder: Path, server: str, temporary: Path, arguments: list[str], message: str
) -> None:
    run = ninspect("scan", *(text.format(server=server) for text in arguments), cwd=folder)
    assert (run.returncode, run.stdout) == (2, "")
    assert message.format(server=server) in run.stderr
    assert names_in(temporary) == []


def test_weights_and_settings_beside_a_model_come_with_it(folder: Path, server: str) -> None:
    model, large = linear_model(even_weights()), folder / "models" / "large.onnx"
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0])
    (tensor,) = model.graph.initializer
    onnx.external_data_helper.set_external_data(tensor, "w/large.bin", length=weights.nbytes)
    tensor.ClearField("raw_data")
    large.write_bytes(model.SerializeToString())
    (folder / "models" / "w").mkdir()
    (folder / "models" / "w" / "large.bin").write_bytes(weights.tobytes())
    (folder / "models" / "preprocess.toml").write_text("scale = 1\n")
    (folder / "models" / "other.bin").write_bytes(b"nobody's")
    fetcher = Fetcher()
    fetched = fetcher.fetch(ScanRequest(Path(f"{server}/models/large.onnx")))
    there = {path.relative_to(fetched.model.parent).as_posix() for path in fetched.model.parent.rglob("*.*")}
    assert there == {"large.onnx", "w/large.bin", "preprocess.toml"}
    assert fetched.model.with_name("w").joinpath("large.bin").read_bytes() == weights.tobytes()
    fetcher.forget(fetched)
    assert not fetched.model.parent.exists()


def test_what_is_left_of_a_run_that_was_ended_is_removed(server: str) -> None:
    fetcher = Fetcher()
    fetched = fetcher.fetch(ScanRequest(Path(f"{server}/models/bad.onnx")))
    assert fetched.model.is_file()
    fetcher.close()
    assert not fetched.model.parent.exists()


def test_a_folder_of_samples_is_fetched_once(folder: Path, server: str) -> None:
    (folder / "pictures" / "cat").mkdir(parents=True)
    (folder / "pictures" / "cat" / "1.png").write_bytes(b"1")
    fetcher = Fetcher()
    asked = ScanRequest(folder / "models" / "bad.onnx", Path(f"{server}/pictures/"))
    first, second = fetcher.fetch(asked).samples, fetcher.fetch(asked).samples
    assert first is not None
    assert first == second
    assert (first / "cat" / "1.png").read_bytes() == b"1"
    fetcher.close()
    assert not first.exists()


def test_a_path_of_this_machine_is_no_address(tmp_path: Path) -> None:
    here = (Path("C:/models/x.onnx"), Path("models/x.onnx"), tmp_path / "a:b" / "x.onnx", Path("x:y.onnx"))
    assert [address_of(path) for path in here] == [None] * 4
    assert address_of(Path("hf://owner/name/model.onnx")) == "hf://owner/name/model.onnx"
    assert models_at("file:///nowhere/model.onnx") == [Path("file:/nowhere/model.onnx")]
    with pytest.raises(UsageError, match=r"needs another package|cannot be read"):
        models_at("s3://a-bucket-of-nobody/models")
