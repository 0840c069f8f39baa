"""What lies at a path, be it a file, a folder, a zip or a tar archive: a list of files that are read as streams.

    with open_files(path) as files:
        for file in files.members:
            with open_whole(file) as stream:          # unpacked, if it is gzipped
                stream.read(4)

Nothing is ever extracted, so no name inside an archive can point to a place on the disk. What cannot
be read is told in `Files.skipped`; an archive that is built to do harm is refused as a whole.
"""

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from core.datasets.recognition.encoding import guess_encoding
from core.system.text import capitalized, quoted

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

_SYSTEM = {"@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__pycache__"}
"""Folders that systems keep beside one's own; they are told, but never read."""

_ARCHIVES = (".zip", ".tar", ".tgz", ".rar", ".7z", ".npz", ".xz", ".bz2")

_ARCHIVES_READ = re.compile(r"(?i)\.(zip|npz|tar|tgz|tbz2?|txz|tar\.\w+)$")
"""The endings of archives that are opened where they lie beside other files."""

_INNER_ARCHIVE = ("It is an archive inside an archive.", "Unpack it and put its files in its place.")

DAMAGE = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
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
    """A file to read: its path with `/` between folders, its length in bytes as announced, and how to open it.

    `checksum` is the CRC-32 that an archive has of it.
    """

    path: str
    size: int
    open: Callable[[], IO[bytes]]
    checksum: int | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Files:
    """The readable files at a path called `name`, ordered by their paths, and those that are not readable.

    `notes` say what else is good to know, such as how names were read.
    """

    name: str
    members: tuple[File, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...] = ()


@contextmanager
def open_files(path: Path, encoding: str | None = None) -> Iterator[Files]:
    """List what lies at `path`; its files can be read until the block ends.

    A folder or archive with a single file in it stands for that file. Archives that lie directly in a folder
    count as sub-folders of it, unless they hold what lies unpacked beside them.

    Args:
        encoding: of names that are not UTF-8, in Python's words; guessed by default.

    Raises:
        ValueError: if nothing is there, or it is an archive that is damaged, encrypted or built to do harm.
    """
    with ExitStack() as opened:
        listing = _Listing(opened, encoding)
        if path.is_dir():
            listing.add_folder(path)
        elif not path.is_file():
            raise ValueError(f"Expected a file or a folder, but there is none at {path}.")
        elif not listing.add_archive(path, ""):
            listing.members.append(_plain(path, path.name))
        if len(listing.members) == 1 and path.is_dir() and len(listing.members[0].path.split("/")) > 1:
            (only,) = listing.members
            listing.members.clear()
            if not listing.add_archive(path / only.path, ""):
                listing.members.append(only)
        members = sorted(_once(listing.members, listing.skipped), key=lambda file: file.path)
        if not members and not listing.skipped:
            raise ValueError(f"{path.name}: expected files with images, but it is empty.")
        yield Files(path.name, tuple(members), tuple(listing.skipped), tuple(listing.notes))


@contextmanager
def open_whole(file: File) -> Iterator[IO[bytes]]:
    """Open a file, unpacked if it is gzipped; whatever damage is met while it is read becomes a sentence.

    Raises:
        ValueError: if the file is damaged.
    """
    try:
        with file.open() as raw:
            yield cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if is_gzip(raw) else raw
    except DAMAGE as error:
        raise ValueError(f"{file.path}: expected a whole file, but it is damaged ({error}).") from error


def share_read(stream: IO[bytes], file: File) -> float:
    """Return how much of a file a stream from `open_whole` has read, 0 to 1, measured before unpacking."""
    position = stream.fileobj.tell() if isinstance(stream, gzip.GzipFile) else stream.tell()
    return min(1.0, position / max(1, file.size))


def is_gzip(raw: IO[bytes]) -> bool:
    """Return whether what is read next of an open `File` begins as gzip does, without reading it."""
    return cast(io.BufferedReader, raw).peek(2)[:2] == b"\x1f\x8b"


def _plain(path: Path, name: str) -> File:
    return File(_readable(name), path.stat().st_size, lambda: path.open("rb"))


class _Listing:
    """Collects files from folders and archives, and what cannot be read of them."""

    def __init__(self, opened: ExitStack, encoding: str | None):
        self.members: list[File] = []
        self.skipped: list[Skipped] = []
        self.notes: list[str] = []
        self._opened = opened
        self._encoding = encoding
        self._count = 0

    def add_folder(self, folder: Path) -> None:
        """Add all files below a folder; links, hidden folders and what cannot be entered are told."""
        archives = []
        raw_names: dict[str, tuple[Path, int]] = {}
        for parent, folders, names in os.walk(folder, onerror=lambda error: self._skip_closed(folder, error)):
            visible = []
            for name in sorted(folders):
                path = Path(parent) / name
                if _is_clutter(name):
                    continue
                if path.is_symlink():
                    names.append(name)
                elif reason := _reason_to_pass_over(name):
                    self._skip(path.relative_to(folder).as_posix() + "/", *reason)
                else:
                    visible.append(name)
            folders[:] = visible
            for name in sorted(names):
                path = Path(parent) / name
                relative = path.relative_to(folder).as_posix()
                if _is_clutter(name):
                    continue
                self._add_to_count(folder.name)
                try:
                    status = path.lstat()
                except OSError as error:
                    self._skip(relative, f"It cannot be opened ({error.strerror}).", "Look whether it is still there.")
                    continue
                if stat.S_ISLNK(status.st_mode):
                    self._skip(relative, "It is a link.", "Put the file itself in its place.")
                elif not stat.S_ISREG(status.st_mode):
                    self._skip(relative, "It is no ordinary file.", "Remove it.")
                elif name.startswith("."):
                    self._skip(relative, "It is a hidden file.", "Rename it without the dot, if it is needed.")
                elif Path(parent) == folder and _ARCHIVES_READ.search(name) and _archive_kind(path):
                    archives.append(path)
                else:
                    raw_names[relative] = (path, status.st_size)
        shown = self._shown_names(list(raw_names), folder.name)
        self.members += [
            File(shown[relative], size, partial(_open_binary, path)) for relative, (path, size) in raw_names.items()
        ]
        for path in archives:
            self._add_archive_of_folder(path)

    def _add_archive_of_folder(self, path: Path) -> None:
        """Add an archive as a sub-folder called as it, unless all of it lies beside it already."""
        beside = len(self.members)
        stem = re.sub(r"(?i)\.(zip|tar|tgz|gz|bz2|xz)$", "", re.sub(r"(?i)\.(gz|bz2|xz)$", "", path.name))
        try:
            self.add_archive(path, f"{stem}/")
        except ValueError as error:
            if not beside:
                raise
            self._skip(path.name, capitalized(str(error).removeprefix(f"{path.name}: ")), "Download it again.")
            return
        inside = self.members[beside:]
        by_name: dict[tuple[str, int], list[File]] = {}
        for file in self.members[:beside]:
            by_name.setdefault((file.name, file.size), []).append(file)
        if inside and all(_has_twin(file, by_name) for file in inside):
            del self.members[beside:]
            count = f"{len(inside):,} file{'s' if len(inside) > 1 else ''}"
            self._skip(path.name, f"Its {count} lie unpacked beside it.", "Nothing needs to be done.")

    def add_archive(self, path: Path, prefix: str) -> bool:
        """Add the files of a zip or tar archive, below `prefix`; say whether it is one."""
        kind = _archive_kind(path)
        if kind == "zip":
            self._add_zip(path, prefix)
        elif kind == "tar":
            self._add_tar(path, prefix)
        return kind is not None

    def _add_zip(self, path: Path, prefix: str) -> None:
        _check_directory(path)
        try:
            archive = self._opened.enter_context(zipfile.ZipFile(path))
        except (*DAMAGE, ValueError) as error:
            raise ValueError(f"{path.name}: expected a whole zip, but it is damaged ({error}).") from error
        # As `is_dir` tells, which fails where a damaged entry has no name.
        entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
        self._add_to_count(path.name, len(entries))
        _reject_bomb(path, archive)
        told: set[str] = set()
        names = self._zip_names(entries, path.name)
        for entry, name in zip(entries, names, strict=True):
            parts = [part for part in name.split("/") if part not in ("", ".")]
            if any(map(_is_clutter, parts)):
                continue
            if self._passes_over(parts, prefix, told):
                continue
            shown = _readable(prefix + "/".join(parts)) or "A file without a name"
            if reason := _unreadable(entry, name, parts):
                self._skip(shown, *reason)
            else:
                self.members.append(File(shown, entry.file_size, partial(archive.open, entry), checksum=entry.CRC))

    def _zip_names(self, entries: list[zipfile.ZipInfo], archive: str) -> list[str]:
        """Return the names of members; those not marked as UTF-8 are in whatever code the zipping system had."""
        # `zipfile` reads such names as code page 437, which has a letter for each byte.
        raw = {}
        for entry in entries:
            if not entry.flag_bits & 0x800 and not entry.filename.isascii():
                with suppress(UnicodeEncodeError):  # the name is from a field for Unicode
                    raw[entry.filename] = entry.filename.encode("cp437")
        encoding = self._encoding or guess_encoding(part for name in raw.values() for part in name.split(b"/"))
        decoded = {name: _decoded(data, encoding) for name, data in raw.items()}
        if raw:
            self._note_encoding(archive, encoding, decoded.values())
        return [decoded.get(entry.filename, entry.filename).replace("\\", "/") for entry in entries]

    def _add_tar(self, path: Path, prefix: str) -> None:
        """Add the files of a tar archive; a packed one is unpacked first, as its members cannot be found otherwise."""
        packed = path.open("rb")
        self._opened.callback(packed.close)
        whole = _unpacked(path, packed, self._opened)
        try:
            with tarfile.open(fileobj=whole, mode="r:", errors="surrogateescape") as archive:
                entries = []
                for entry in archive:
                    if entry.isdir():
                        continue
                    self._add_to_count(path.name)
                    entries.append(entry)
        except DAMAGE as error:
            raise ValueError(f"{path.name}: expected a whole tar archive, but it is damaged ({error}).") from error
        shown = self._shown_names([entry.name for entry in entries], path.name)
        told: set[str] = set()
        for entry in entries:
            name = shown[entry.name]
            parts = [part for part in name.split("/") if part not in ("", ".")]
            if any(map(_is_clutter, parts)) or self._passes_over(parts, prefix, told):
                continue
            readable = prefix + "/".join(parts) or "A file without a name"
            if name.startswith("/") or ".." in parts:
                self._skip(readable, "Its path points outside of the archive.", "Pack the folder anew.")
            elif entry.issym() or entry.islnk():
                self._skip(readable, "It is a link.", "Put the file itself in its place.")
            elif not entry.isreg() or entry.issparse():
                self._skip(readable, "It is no ordinary file.", "Remove it.")
            elif readable.lower().endswith(_ARCHIVES):
                self._skip(readable, *_INNER_ARCHIVE)
            else:
                self.members.append(
                    File(
                        readable,
                        entry.size,
                        partial(_open_window, whole, entry.offset_data, entry.size),
                    )
                )

    def _passes_over(self, parts: list[str], prefix: str, told: set[str]) -> bool:
        """Say whether a member lies in a hidden folder, which is told once, or is hidden itself."""
        for depth, part in enumerate(parts):
            if part == "..":
                return False
            if reason := _reason_to_pass_over(part):
                is_file = depth == len(parts) - 1
                shown = _readable(prefix + "/".join(parts[: depth + 1])) + ("" if is_file else "/")
                if shown not in told:
                    told.add(shown)
                    self._skip(shown, reason[0].replace("folder", "file") if is_file else reason[0], reason[1])
                return True
        return False

    def _shown_names(self, names: list[str], place: str) -> dict[str, str]:
        """Return names, in which bytes that are not UTF-8 are escaped, as text."""
        odd = {name: os.fsencode(name) for name in names if any("\udc80" <= letter <= "\udcff" for letter in name)}
        if not odd:
            return {name: _readable(name) for name in names}
        encoding = self._encoding or guess_encoding(part for name in odd.values() for part in name.split(b"/"))
        decoded = {name: _decoded(data, encoding) for name, data in odd.items()}
        self._note_encoding(place, encoding, decoded.values())
        return {name: _readable(decoded.get(name, name)) for name in names}

    def _note_encoding(self, place: str, encoding: str, names: Iterable[str]) -> None:
        if encoding != "utf-8":
            shown = ", ".join(sorted({_readable(part) for name in names for part in name.split("/") if
                                      not part.isascii()})[:4])  # fmt: skip
            self.notes.append(
                f"{place}: its names are not UTF-8; they are read as {encoding}: {shown}. Choose another encoding "
                "(--encoding) if they are wrong."
            )

    def _skip_closed(self, folder: Path, error: OSError) -> None:
        path = Path(error.filename)
        if path == folder:
            raise ValueError(f"{folder}: it cannot be opened ({error.strerror}): give yourself the right to read it.")
        self._skip(
            path.relative_to(folder).as_posix() + "/",
            f"This folder cannot be opened ({error.strerror}).",
            "Give yourself the right to read it.",
        )

    def _skip(self, name: str, reason: str, fix: str) -> None:
        self.skipped.append(Skipped(_readable(name), reason, fix))

    def _add_to_count(self, name: str, more: int = 1) -> None:
        self._count += more
        _reject_too_many(name, self._count)


def _open_binary(path: Path) -> IO[bytes]:
    return path.open("rb")


def _open_window(whole: IO[bytes], start: int, size: int) -> IO[bytes]:
    return io.BufferedReader(_Window(whole, start, size))


class _Window(io.RawIOBase):
    """A part of a file, read on its own: several may be open at once."""

    def __init__(self, whole: IO[bytes], start: int, size: int):
        super().__init__()
        self._descriptor = whole.fileno()
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer) -> int:
        length = max(0, min(len(buffer), self._size - self._position))
        data = os.pread(self._descriptor, length, self._start + self._position)
        if len(data) < length and not data:
            raise EOFError("the archive ends before its member does")
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _unpacked(path: Path, packed: IO[bytes], opened: ExitStack) -> IO[bytes]:
    """Return a tar archive without its packing: itself, or a temporary file that goes with `opened`."""
    opener = _tar_packing(path)
    if opener is None:
        return packed
    # Without a name, so that nothing remains of it, whatever happens to this process.
    whole = opened.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    length = path.stat().st_size
    most = min(MAX_UNPACKED, max(_HARMLESS_UNPACKED, length * _MAX_RATIO))
    try:
        with opener(packed) as stream:
            while chunk := stream.read(2**20):
                whole.write(chunk)
                if whole.tell() > most:
                    raise ValueError(
                        f"{path.name}: expected an ordinary archive, but its {length / 2**20:,.1f} MiB would unpack to "
                        f"more than {most / 2**20:,.0f} MiB: pack only the images."
                    )
    except DAMAGE as error:
        raise ValueError(f"{path.name}: expected a whole tar archive, but it is damaged ({error}).") from error
    whole.seek(0)
    return whole


def _tar_packing(path: Path) -> Callable[[IO[bytes]], IO[bytes]] | None:
    with path.open("rb") as file:
        beginning = file.read(6)
    openers: tuple[tuple[bytes, Any], ...] = (
        (b"\x1f\x8b", gzip.open),
        (b"BZh", bz2.open),
        (b"\xfd7zXZ\0", lzma.open),
    )
    for magic, opener in openers:
        if beginning.startswith(magic):
            return opener
    return None


def _archive_kind(path: Path) -> str | None:
    """Return "zip" or "tar" for what is such an archive by its content; an office document is none."""
    try:
        if zipfile.is_zipfile(path):
            return None if _is_office(path) else "zip"
        if not re.search(r"(?i)\.(tar|tgz|tbz2?|txz|tar\.\w+)$", path.name):
            return None
        opener = _tar_packing(path)
        with path.open("rb") as raw, opener(raw) if opener else raw as stream:
            return "tar" if stream.read(262)[257:] == b"ustar" else None
    except DAMAGE:
        return None


def _is_office(path: Path) -> bool:
    with path.open("rb") as file:
        return b"[Content_Types].xml" in file.read(512)


def _has_twin(file: File, by_name: dict[tuple[str, int], list[File]]) -> bool:
    """Say whether a member of an archive is the same, to the byte, as a file that lies beside the archive."""
    for other in by_name.get((file.name, file.size), ()):
        with other.open() as ours, file.open() as theirs:
            while (chunk := ours.read(2**20)) == theirs.read(2**20):
                if not chunk:
                    return True
    return False


def _reason_to_pass_over(name: str) -> tuple[str, str] | None:
    """Say why a folder is not entered and what to do about it; None if it is."""
    if name in _SYSTEM:
        return "It is a folder of the system or of a program.", "Nothing needs to be done."
    if name.startswith("."):
        return "It is a hidden folder.", "Rename it without the dot, if it is needed."
    return None


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, "replace")
    except LookupError:
        raise ValueError(
            f"--encoding: expected one that Python knows, such as cp1252, received {quoted(encoding)}."
        ) from None


def _unreadable(entry: zipfile.ZipInfo, name: str, parts: list[str]) -> tuple[str, str] | None:
    """Say why a member of a zip is not read and what to do about it; None if nothing speaks against it."""
    if not parts:
        return "It has no name.", "Zip the folder anew."
    if name.startswith("/") or ".." in parts or re.fullmatch(r"[A-Za-z]:", parts[0]):
        return "Its path points outside of the archive.", "Zip the folder anew, from where it lies."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "It is a link.", "Put the file itself in its place."
    if entry.flag_bits & 1:
        return "It is encrypted.", "Zip it without a password."
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"It is packed by method {entry.compress_type}.", "Zip it with the usual method, deflate."
    if parts[-1].lower().endswith(_ARCHIVES):
        return _INNER_ARCHIVE
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
        raise ValueError(f"{name or '/'}: expected at most {MAX_FILES:,} files, received more: import them in parts.")


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
    """Return a path as text that can be shown and stored, whatever bytes the system has for it.

    Letters that join or part others are kept, as names in many scripts need them; marks that reorder letters and
    control characters are not: such a name is no text.
    """
    text = path.encode("utf-8", "replace").decode()
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or _joins(letter) else "\N{REPLACEMENT CHARACTER}"
        for letter in unicodedata.normalize("NFC", text)
    )


def _joins(letter: str) -> bool:
    return unicodedata.category(letter) in ("Zs", "Cf") and unicodedata.bidirectional(letter) in (
        "BN",
        "WS",
        "CS",
        "ON",
    )
