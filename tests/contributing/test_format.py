"""A new format to import is one module of `core.datasets.formats`."""

from tests.contributing.copying import copy_project, run_tests

ENTRY = '''"""Farbfeld images: `cats/1.ff`, a file an image, its class the folder that it lies in."""

import struct
from collections.abc import Iterator

import numpy as np

from core.datasets.files import Files
from core.datasets.formats.source import Block, Source, example_images, others


def detect(files: Files, *_choices: object) -> Source | None:
    """Return the images that lie in folders."""
    images = [file for file in files.members if file.name.endswith(".ff") and "/" in file.path]
    if not images:
        return None
    return Source("Farbfeld images", len(images), tuple(images), skipped=others(files.members, images, "the images"))


def read(found: Source, *_choices: object) -> Iterator[Block]:
    """Yield each image, of whose 16 bits a channel the high ones are kept."""
    for number, file in enumerate(found.parts, 1):
        with file.open() as stream:
            content = stream.read(16 * 2**20)
        if not content.startswith(b"farbfeld"):
            raise ValueError(f"{file.path}: expected an image that begins with farbfeld, received something else.")
        width, height = struct.unpack(">II", content[8:16])
        pixels = np.frombuffer(content, ">u2", offset=16).reshape(1, height, width, 4)
        yield Block(
            None, (pixels[..., :3] >> 8).astype(np.uint8), [file.path.split("/")[-2]], (height, width),
            number / found.files,
        )


def preview(found: Source, *_choices: object) -> Iterator[Block]:
    """Yield all of them, as they are few."""
    return read(found)


def example() -> dict[str, bytes]:
    """Return a small source of this format."""
    files = {}
    for number, image in enumerate(example_images(20)):
        channels = np.repeat(image[..., np.newaxis].astype(">u2") << 8, 4, axis=2).astype(">u2")
        content = b"farbfeld" + struct.pack(">II", 8, 8) + channels.tobytes()
        files[f"{'cats' if number % 2 else 'dogs'}/{number}.ff"] = content
    return files
'''


def test_a_new_format_is_one_module(tmp_path):
    project = copy_project(tmp_path)
    (project / "core/datasets/formats/farbfeld.py").write_text(ENTRY)

    passed = run_tests(project, "farbfeld", "tests/datasets/formats/test_every_format.py")

    assert {test.rpartition(".")[2] for test in passed} == {
        "test_example_becomes_a_data_set[farbfeld]",
        "test_no_other_format_takes_it_for_its_own[farbfeld]",
    }
