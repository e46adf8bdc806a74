"""Files in an S3-compatible storage: what is done with files here, against a server that speaks S3."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages

from chamnet_web import environment, health
from devices.kernels import keep_file
from devices.models import KernelFile
from search.services import disk

WHEN = datetime(2020, 1, 1, tzinfo=UTC)


class Bucket(BaseHTTPRequestHandler):
    """Enough of S3 for one bucket: put, get, head, delete and list, objects in memory."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/shelf/")

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            size, _, rest = body.partition(b"\r\n")
            body = rest[: int(size.split(b";")[0], 16)]
        self.objects[self._key()] = body
        self._answer(200, ETag=f'"{hashlib.md5(body).hexdigest()}"')

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query or "prefix" in query:
            self._answer(200, self._listing(query), Content_Type="application/xml")
        elif (body := self.objects.get(self._key())) is None:
            self._answer(404)
        else:
            modified = WHEN.strftime("%a, %d %b %Y %H:%M:%S GMT")
            self._answer(200, body, Last_Modified=modified, ETag=f'"{hashlib.md5(body).hexdigest()}"')

    def do_DELETE(self) -> None:
        self.objects.pop(self._key(), None)
        self._answer(204)

    def _listing(self, query: dict[str, list[str]]) -> bytes:
        prefix = query.get("prefix", [""])[0]
        rest = [key.removeprefix(prefix) for key in self.objects if key.startswith(prefix)]
        files = "".join(
            f"<Contents><Key>{escape(prefix + one)}</Key><Size>1</Size></Contents>"
            for one in rest
            if "/" not in one
        )
        folders = {one.partition("/")[0] for one in rest if "/" in one}
        found = "".join(
            f"<CommonPrefixes><Prefix>{escape(prefix + one)}/</Prefix></CommonPrefixes>"
            for one in sorted(folders)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{files}{found}</ListBucketResult>".encode()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[dict[str, bytes]]:
    """What the bucket holds; the installation's files go there meanwhile."""
    held: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Shelf", (Bucket,), {"objects": held}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of a test")
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("STORAGE_URL", f"s3://shelf/files?endpoint_url={address}&region_name=here")
    settings.STORAGES = {**settings.STORAGES, "default": environment.storage()}
    yield held
    server.shutdown()
    thread.join()
    server.server_close()


def test_files_are_written_found_listed_read_and_removed(objects: dict[str, bytes]) -> None:
    storage: Storage = storages["default"]
    name = storage.save("checkpoints/one/1.pt", ContentFile(b"weights"))
    assert objects == {"files/checkpoints/one/1.pt": b"weights"}
    assert (name, storage.exists(name), storage.size(name)) == ("checkpoints/one/1.pt", True, 7)
    assert storage.listdir("checkpoints/one") == ([], ["1.pt"])
    with storage.open(name, "rb") as file:
        assert file.read() == b"weights"
    storage.delete(name)
    assert not storage.exists(name)
    assert health._write_and_delete()
    assert objects == {}


@pytest.mark.django_db
def test_a_kernel_file_is_kept_there_and_what_has_no_row_is_removed(
    objects: dict[str, bytes], settings: Any, tmp_path: Path
) -> None:
    settings.DATASET_ROOT, settings.UPLOAD_ROOT = tmp_path / "datasets", tmp_path / "uploads"
    row = keep_file("torchscript", "digest", b"a network")
    storages["default"].save("models/lost.pt", ContentFile(b"x"))
    settings.RETAIN_KERNELS_DAYS = 0
    assert disk.prune()["files without a row"] == 1
    assert list(objects) == [f"files/{row.file.name}"]
    assert KernelFile.objects.count() == 1


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://bucket", "is no address such as s3://"),
        ("s3://key:secret@bucket", "AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket?acl=public", "acl is neither"),
    ],
)
def test_an_address_that_is_none_is_refused_by_name(
    address: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_URL", address)
    with pytest.raises(ImproperlyConfigured, match=said):
        environment.storage()
