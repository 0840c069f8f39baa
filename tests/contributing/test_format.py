"""A new format to import is one module of `core.datasets.formats`."""

from tests.contributing.copying import copy_project, run_tests

ENTRY = '''"""Netpbm's grey maps: `cats/1.pgm`, a file an image, its class the folder that it lies in."""

import re
from collections.abc import Iterator

import numpy as np

from core.datasets.files import Files
from core.datasets.formats.source import Block, Source, example_images, others


def detect(files: Files, *_choices: object) -> Source | None:
    """Return the maps that lie in folders."""
    maps = [file for file in files.members if file.name.endswith(".pgm") and "/" in file.path]
    if not maps:
        return None
    return Source("Netpbm grey maps", len(maps), tuple(maps), skipped=others(files.members, maps, "the grey maps"))


def read(found: Source, *_choices: object) -> Iterator[Block]:
    """Yield each map."""
    for number, file in enumerate(found.parts, 1):
        with file.open() as stream:
            content = stream.read(16 * 2**20)
        if not (header := re.match(rb"P5 (\\d+) (\\d+) 255\\n", content)):
            raise ValueError(f"{file.path}: expected a binary grey map of values up to 255, received something else.")
        width, height = int(header[1]), int(header[2])
        pixels = np.frombuffer(content, np.uint8, offset=header.end()).reshape(1, height, width, 1)
        yield Block(None, pixels, [file.path.split("/")[-2]], (height, width), number / found.files)


def preview(found: Source, *_choices: object) -> Iterator[Block]:
    """Yield all of them, as they are few."""
    return read(found)


def example() -> dict[str, bytes]:
    """Return a small source of this format."""
    images = enumerate(example_images(20))
    return {f"{'cats' if i % 2 else 'dogs'}/{i}.pgm": b"P5 8 8 255\\n" + image.tobytes() for i, image in images}
'''


def test_a_new_format_is_one_module(tmp_path):
    project = copy_project(tmp_path)
    (project / "core/datasets/formats/netpbm.py").write_text(ENTRY)

    passed = run_tests(project, "netpbm", "tests/datasets/formats/test_every_format.py")

    assert {test.rpartition(".")[2] for test in passed} == {
        "test_example_becomes_a_data_set[netpbm]",
        "test_no_other_format_takes_it_for_its_own[netpbm]",
    }
