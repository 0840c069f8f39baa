"""What lies at a path, be it a file, a folder or a zip: a list of files that are read as streams.

    with open_files(path) as files:
        for file in files.members:
            with open_whole(file) as stream:          # unpacked, if it is gzipped
                stream.read(4)

Nothing is ever extracted, so no name inside an archive can point to a place on the disk. What cannot
be read is told in `Files.skipped`; an archive that is built to do harm is refused as a whole.
"""

import gzip
import io
import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

MAX_FILES = 250_000
"""The most files in a folder or a zip."""

MAX_UNPACKED = 64 * 2**30
"""The most bytes that a zip may unpack to."""

_HARMLESS_UNPACKED = 2**30
"""A zip that unpacks to more bytes than this must not shrink by more than `_MAX_RATIO`."""

_MAX_RATIO = 100

_MAX_DIRECTORY = 32 * 2**20
"""The largest table of contents of a zip, in bytes: each of `MAX_FILES` gets 80 for its name."""

_CLUTTER = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}
"""What operating systems put beside files; it is passed over without a word."""

_ARCHIVES = (".zip", ".tar", ".tgz", ".rar", ".7z", ".npz", ".xz", ".bz2")

DAMAGE = (
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    struct.error,
    NotImplementedError,
    OverflowError,
    UnicodeDecodeError,
)
"""What reading a damaged file raises."""


class Skipped(NamedTuple):
    """A file that is not used, why, and what would mend it."""

    file: str
    reason: str
    fix: str


@dataclass(frozen=True)
class File:
    """A file to read: its path with `/` between folders, its length in bytes as announced, and how to open it."""

    path: str
    size: int
    open: Callable[[], IO[bytes]]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Files:
    """The readable files at a path called `name`, ordered by their paths, and those that are not readable."""

    name: str
    members: tuple[File, ...]
    skipped: tuple[Skipped, ...]


@contextmanager
def open_files(path: Path) -> Iterator[Files]:
    """List what lies at `path`; its files can be read until the block ends.

    A folder or zip with a single file in it stands for that file. Zips that lie directly in a folder
    count as sub-folders of it.

    Raises:
        ValueError: if nothing is there, or it is an archive that is damaged, encrypted or built to do harm.
    """
    with ExitStack() as opened:
        if path.is_dir():
            members, skipped = _folder(path, opened)
        elif not path.is_file():
            raise ValueError(f"Expected a file or a folder, but there is none at {path}.")
        elif zipfile.is_zipfile(path):
            members, skipped = _zip(path, "", opened)
        else:
            members, skipped = [_plain(path, path.name)], []
        if len(members) == 1 and path.is_dir():
            only = path / members[0].path
            if zipfile.is_zipfile(only):
                members, more = _zip(only, "", opened)
                skipped += more
        members = sorted(_once(members, skipped), key=lambda file: file.path)
        if not members and not skipped:
            raise ValueError(f"{path.name}: expected files with images, but it is empty.")
        yield Files(path.name, tuple(members), tuple(skipped))


@contextmanager
def open_whole(file: File) -> Iterator[IO[bytes]]:
    """Open a file, unpacked if it is gzipped; whatever damage is met while it is read becomes a sentence.

    Raises:
        ValueError: if the file is damaged.
    """
    try:
        with file.open() as raw:
            yield gzip.GzipFile(fileobj=raw) if _beginning(raw).startswith(b"\x1f\x8b") else raw
    except DAMAGE as error:
        raise ValueError(f"{file.path}: expected a whole file, but it is damaged ({error}).") from error


def share_read(stream: IO[bytes], file: File) -> float:
    """Return how much of a file a stream from `open_whole` has read, 0 to 1, measured before unpacking."""
    position = stream.fileobj.tell() if isinstance(stream, gzip.GzipFile) else stream.tell()
    return min(1.0, position / max(1, file.size))


def _beginning(raw: IO[bytes]) -> bytes:
    return raw.peek(2)[:2]


def _plain(path: Path, name: str) -> File:
    return File(_readable(name), path.stat().st_size, lambda: path.open("rb"))


def _folder(folder: Path, opened: ExitStack) -> tuple[list[File], list[Skipped]]:
    members, skipped = [], []
    count = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in sorted(folders) if not _is_clutter(name)]
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in sorted(names) + links:
            path = Path(parent) / name
            relative = path.relative_to(folder).as_posix()
            if _is_clutter(name):
                continue
            count += 1
            _reject_too_many(folder.name, count)
            kind = path.lstat().st_mode
            if stat.S_ISLNK(kind):
                skipped.append(Skipped(_readable(relative), "It is a link.", "Put the file itself in its place."))
            elif not stat.S_ISREG(kind):
                skipped.append(Skipped(_readable(relative), "It is no ordinary file.", "Remove it."))
            elif Path(parent) == folder and path.suffix.lower() == ".zip" and zipfile.is_zipfile(path):
                inside, unreadable = _zip(path, f"{path.stem}/", opened)
                members += inside
                skipped += unreadable
                count += len(inside)
                _reject_too_many(folder.name, count)
            else:
                members.append(_plain(path, relative))
    return members, skipped


def _zip(path: Path, prefix: str, opened: ExitStack) -> tuple[list[File], list[Skipped]]:
    _check_directory(path)
    try:
        archive = opened.enter_context(zipfile.ZipFile(path))
    except (*DAMAGE, ValueError) as error:
        raise ValueError(f"{path.name}: expected a whole zip, but it is damaged ({error}).") from error
    # As `is_dir` tells, which fails where a damaged entry has no name.
    entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
    _reject_too_many(path.name, len(entries))
    _reject_bomb(path, archive)
    members, skipped = [], []
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if any(map(_is_clutter, parts)):
            continue
        shown = _readable(prefix + "/".join(parts)) or "A file without a name"
        if reason := _unreadable(entry, name, parts):
            skipped.append(Skipped(shown, *reason))
        else:
            members.append(File(shown, entry.file_size, lambda entry=entry: archive.open(entry)))
    return members, skipped


def _unreadable(entry: zipfile.ZipInfo, name: str, parts: list[str]) -> tuple[str, str] | None:
    """Say why a member of a zip is not read and what to do about it; None if nothing speaks against it."""
    if not parts:
        return "It has no name.", "Zip the folder anew."
    if name.startswith("/") or ".." in parts or ":" in parts[0]:
        return "Its path points outside of the archive.", "Zip the folder anew, from where it lies."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "It is a link.", "Put the file itself in its place."
    if entry.flag_bits & 1:
        return "It is encrypted.", "Zip it without a password."
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"It is packed by method {entry.compress_type}.", "Zip it with the usual method, deflate."
    if parts[-1].lower().endswith(_ARCHIVES):
        return "It is an archive inside an archive.", "Unpack it and put its files in its place."
    return None


def _check_directory(path: Path) -> None:
    """Read how long a zip's table of contents claims to be, since `zipfile` reads all of it at once.

    Format: PKWARE's APPNOTE.TXT, sections 4.3.14 to 4.3.16.
    """
    with path.open("rb") as file:
        length = file.seek(0, io.SEEK_END)
        tail_start = max(0, length - 65_557)
        file.seek(tail_start)
        tail = file.read()
        end = tail.rfind(b"PK\5\6")
        if end < 0 or len(tail) < end + 22:
            return
        count, size = struct.unpack_from("<HI", tail, end + 10)
        locator = tail.rfind(b"PK\6\7", 0, end)
        if locator >= 0:
            file.seek(min(length, struct.unpack_from("<Q", tail, locator + 8)[0]))
            record = file.read(56)
            if len(record) == 56 and record.startswith(b"PK\6\6"):
                count, size = struct.unpack_from("<QQ", record, 32)
    _reject_too_many(path.name, count)
    if size > _MAX_DIRECTORY:
        raise ValueError(
            f"{path.name}: expected a table of contents of at most {_MAX_DIRECTORY / 2**20:.0f} MiB, received "
            f"{size / 2**20:,.0f} MiB: zip fewer files."
        )


def _reject_too_many(name: str, count: int) -> None:
    if count > MAX_FILES:
        raise ValueError(f"{name}: expected at most {MAX_FILES:,} files, received more: import them in parts.")


def _reject_bomb(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse an archive whose members share bytes, or that unpacks to far more than it is."""
    entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    # A member begins with 30 bytes and its name (APPNOTE.TXT, 4.3.7); so much at least lies before the next one.
    ends = [entry.header_offset + 30 + len(entry.orig_filename) + entry.compress_size for entry in entries]
    starts = [*(entry.header_offset for entry in entries), archive.start_dir]
    if any(end > start for end, start in zip(ends, starts[1:], strict=True)):
        raise ValueError(f"{path.name}: expected an ordinary zip, but its members overlap: zip the files anew.")
    unpacked, packed = sum(entry.file_size for entry in entries), path.stat().st_size
    if unpacked > MAX_UNPACKED or unpacked > max(_HARMLESS_UNPACKED, packed * _MAX_RATIO):
        raise ValueError(
            f"{path.name}: expected an ordinary zip, but its {packed / 2**20:,.1f} MiB would unpack to "
            f"{unpacked / 2**20:,.0f} MiB: zip only the images."
        )


def _once(members: list[File], skipped: list[Skipped]) -> list[File]:
    """Return the first file of each path; the others are left out."""
    known: dict[str, File] = {}
    for file in members:
        if known.setdefault(file.path, file) is not file:
            skipped.append(Skipped(file.path, "It is a second file of the same name.", "Rename one of them."))
    return list(known.values())


def _is_clutter(name: str) -> bool:
    return name in _CLUTTER or name.startswith("._")


def _readable(path: str) -> str:
    """Return a path as text that can be shown and stored, whatever bytes the system has for it."""
    text = path.encode("utf-8", "replace").decode()
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for character in unicodedata.normalize("NFC", text)
    )
