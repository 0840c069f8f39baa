"""The formats that are not read, by name, with what to do about each.

describe(b"PK\\3\\4…", "train.csv")     # Unread("an Excel workbook", "Save it as CSV UTF-8.")
"""

import re
from typing import NamedTuple

BEGINNING = 512
"""So many bytes of a file tell what it is."""


class Unread(NamedTuple):
    """What a file is, and what would make it readable."""

    what: str
    fix: str


_DOWNLOAD = "The download failed: download the file again."
_JPEG = "Save it as JPEG."
_ZIP = "Unpack it and zip the folder."
_ARRAYS = "Save the arrays with numpy.savez instead."
_CSV = "Save it as CSV UTF-8."

_BY_BEGINNING: tuple[tuple[bytes, Unread], ...] = (
    (b"%PDF", Unread("a PDF document", "Save its pictures as PNG or JPEG.")),
    (b"7z\xbc\xaf\x27\x1c", Unread("a 7z archive", _ZIP)),
    (b"Rar!", Unread("a RAR archive", _ZIP)),
    (b"\xd0\xcf\x11\xe0", Unread("an old Office document, such as an Excel workbook", _CSV)),
    (b"\x89HDF", Unread("an HDF5 file (.h5, .hdf5 or MATLAB 7.3)", _ARRAYS)),
    (b"PAR1", Unread("a Parquet table", "Give it the ending .parquet.")),
    (b"SQLite format 3", Unread("an SQLite database", "Export its table as CSV UTF-8.")),
    (b"MATLAB 5.0 MAT-file", Unread("a MATLAB file", "Give it the ending .mat.")),
    (b"ARROW1", Unread("an Arrow file", "Save it as Parquet or CSV.")),
    (b"\x93NUMPY", Unread("a single NumPy array", "Put the array of labels beside it, as X.npy and y.npy.")),
    (b"\xff\xfe", Unread("a text in UTF-16", _CSV)),
    (b"\xfe\xff", Unread("a text in UTF-16", _CSV)),
    (b"\x28\xb5\x2f\xfd", Unread("a Zstandard archive", _ZIP)),
    (b"8BPS", Unread("a Photoshop picture", _JPEG)),
    (b"\x1aE\xdf\xa3", Unread("a film", "Save its pictures as JPEG.")),
)

_BY_ENDING: dict[str, Unread] = {
    **dict.fromkeys(("heic", "heif"), Unread("a HEIC picture", _JPEG)),
    "avif": Unread("an AVIF picture", _JPEG),
    "svg": Unread("an SVG drawing", "Save it as PNG."),
    **dict.fromkeys(("dcm", "nii"), Unread("a medical picture", "Save it as PNG of 8 or 16 bits.")),
    **dict.fromkeys(("dng", "cr2", "cr3", "nef", "arw"), Unread("a camera's raw picture", _JPEG)),
    **dict.fromkeys(("mp4", "mov", "avi", "mkv"), Unread("a film", "Save its pictures as JPEG.")),
    "arff": Unread("an ARFF table of Weka", _CSV),
    **dict.fromkeys(("pkl", "pickle", "joblib"), Unread("a pickle, which is never opened, as it may run a program",
                                                         _ARRAYS)),
    **dict.fromkeys(("pt", "pth"), Unread("a PyTorch file, which is never opened, as it may run a program", _ARRAYS)),
    **dict.fromkeys(("h5", "hdf5"), Unread("an HDF5 file", _ARRAYS)),
    **dict.fromkeys(("tfrecord", "tfrecords"), Unread("a TFRecord file", _ARRAYS)),
    **dict.fromkeys(("xls", "xlsx", "ods"), Unread("an Excel workbook", _CSV)),
    **dict.fromkeys(("json", "jsonl"), Unread("a JSON text", _CSV)),
    "xml": Unread("an XML text", _CSV),
    **dict.fromkeys(("md", "rst", "log"), Unread("a text", "Nothing needs to be done, if it is a note.")),
    **dict.fromkeys(("html", "htm"), Unread("a web page", _DOWNLOAD)),
    **dict.fromkeys(("py", "ipynb"), Unread("a program", "Nothing needs to be done, if it is a note.")),
}  # fmt: skip


def describe(beginning: bytes, name: str) -> Unread:
    """Return what a file is that begins so and is called so."""
    if not beginning:
        return Unread("an empty file", "Download or save it again.")
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if beginning.startswith(b"PK\3\4"):
        if b"[Content_Types].xml" in beginning or b"xl/" in beginning or b"word/" in beginning:
            return Unread("an Excel workbook or another Office document", _CSV)
        return Unread("a damaged zip", _DOWNLOAD)
    if beginning[4:8] == b"ftyp":
        brand = beginning[8:12]
        if brand in (b"heic", b"heix", b"mif1", b"msf1", b"hevc", b"heim"):
            return _BY_ENDING["heic"]
        return _BY_ENDING["avif"] if brand.startswith(b"avi") else Unread("a film", "Save its pictures as JPEG.")
    for start, unread in _BY_BEGINNING:
        if beginning.startswith(start):
            return unread
    if re.match(rb"\x80[\x02-\x05]", beginning):
        return _BY_ENDING["pkl"]
    text = beginning.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<script")):
        return Unread("a web page, not data", _DOWNLOAD)
    if text.startswith((b"<?xml", b"<error")):
        return Unread("an XML text, as servers send it for an error", _DOWNLOAD)
    if text.startswith(b"@relation") or b"\n@relation" in text or b"@attribute" in text:
        return _BY_ENDING["arff"]
    if text.startswith((b"{", b"[")):
        return _BY_ENDING["json"]
    if text.startswith(b"version https://git-lfs"):
        return Unread("a pointer of Git LFS instead of the file", "Fetch the file itself with: git lfs pull.")
    if ending in _BY_ENDING:
        return _BY_ENDING[ending]
    if ending == "zip":
        return Unread("a damaged zip", _DOWNLOAD)
    if b"\0" not in beginning:
        return Unread("a text", "Nothing needs to be done, if it is a note; a table needs labels and pixels.")
    return Unread("a file of unknown format", "Save pictures as PNG or JPEG, arrays with numpy.savez, tables as CSV.")
