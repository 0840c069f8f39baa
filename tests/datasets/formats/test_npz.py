"""NumPy's archives, and pairs of IDX files: what is read, and the sentence for what is not."""

import gzip
import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from core import datasets
from core.datasets.importing import import_dataset, inspect
from tests.datasets import sources

IMAGES = sources.pixels(6, 8, 9, 3)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    return tmp_path / "a.npz"


class TestNpz:
    @pytest.mark.parametrize(
        ("images", "labels"),
        [
            (IMAGES, LABELS),
            (IMAGES.transpose(0, 3, 1, 2).copy(), LABELS),
            (IMAGES.astype(np.int64), LABELS.astype(np.uint8)),
            (IMAGES.astype(">i2"), LABELS[:, np.newaxis]),
        ],
        ids=["bytes", "channels first", "long", "big-endian"],
    )
    def test_ways_to_save_the_same_images(self, images, labels, tmp_path):
        dataset = datasets.load(import_dataset(saved(tmp_path, images=images, labels=labels)).name)

        both = np.concatenate([dataset.train.images, dataset.test.images])
        assert {image.tobytes() for image in both} == {image.tobytes() for image in IMAGES}

    def test_rows_of_pixels_are_square_images(self, tmp_path):
        assert inspect(saved(tmp_path, X=sources.pixels(6, 784), y=LABELS)).size == (28, 28)

    def test_validation_images_are_kept(self, tmp_path):
        arrays = {f"{part}_{kind}": value for part in ("train", "val") for kind, value in (("labels", LABELS),)}
        arrays |= {f"{part}_images": sources.pixels(6, 8, 8) for part in ("train", "val", "test")}
        report = import_dataset(saved(tmp_path, test_labels=LABELS, **arrays))

        assert (report.images, report.validation_images) == ({"train": 12, "test": 6}, 6)

    @pytest.mark.parametrize(
        ("arrays", "sentence"),
        [
            (
                {"a": IMAGES, "b": LABELS, "c": LABELS},
                "a.npz: expected arrays called x_train, y_train, x_test and y_test, or images and labels, "
                "received a, b, c: rename them so.",
            ),
            (
                {"images": np.where(IMAGES > 9, IMAGES / 255, np.nan), "labels": LABELS},
                "images.npy: expected whole numbers from 0 to 255, received values that are no numbers.",
            ),
            (
                {"images": IMAGES.astype(int) + 200, "labels": LABELS},
                f"images.npy: expected whole numbers from 0 to 255, received {int(IMAGES.max()) + 200}: "
                "scale them, or choose the value of white (--scale).",
            ),
            (
                {"images": IMAGES.astype(int) - 200, "labels": LABELS},
                f"images.npy: expected whole numbers from 0 to 255, received {int(IMAGES.min()) - 200}: "
                "undo the normalisation, or shift and scale the values.",
            ),
            (
                {"images": IMAGES, "labels": LABELS[:5]},
                "labels.npy: expected a label for each of the 6 images, shape (6,), received (5,).",
            ),
            (
                {"images": IMAGES, "labels": LABELS / 2},
                "labels.npy: expected whole numbers or texts as labels, received the type float64 with decimals.",
            ),
            (
                {"images": IMAGES[..., np.newaxis], "labels": LABELS},
                "images.npy: expected images of the shape (N, H, W) or (N, H, W, 1 or 3), received (6, 8, 9, 3, 1).",
            ),
            (
                {"images": sources.pixels(6, 8, 9, 4), "labels": LABELS},
                "images.npy: expected images of the shape (N, H, W) or (N, H, W, 1 or 3), received (6, 8, 9, 4).",
            ),
            (
                {"images": IMAGES[:0], "labels": LABELS[:0]},
                "images.npy: expected 1 to 2,000,000 images of 1 to 1,200 pixels a side, received (0, 8, 9, 3).",
            ),
            (
                {"images": np.asfortranarray(IMAGES), "labels": LABELS},
                "images.npy: expected an array stored by rows, received one stored by columns: save it with "
                "numpy.ascontiguousarray.",
            ),
            (
                {"images": np.array([{}, []], object), "labels": LABELS},
                "images.npy: expected numbers or texts, received Python objects, which are never read.",
            ),
        ],
        ids=[
            "names",
            "floats",
            "too large",
            "negative",
            "counts differ",
            "label type",
            "dimensions",
            "four channels",
            "nothing",
            "by columns",
            "pickle",
        ],
    )
    def test_a_wrong_array_has_its_sentence(self, arrays, sentence, tmp_path):
        with sources.refused(sentence):
            import_dataset(saved(tmp_path, **arrays))

    def test_a_shape_that_the_file_cannot_hold_is_refused_before_memory_is_taken(self, tmp_path):
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 2**40, 3)}
        )
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("images.npy", header.getvalue())
            archive.writestr("labels.npy", b"not an array")
        tracemalloc.start()
        try:
            with pytest.raises(
                ValueError, match=r"^images\.npy: expected 3,626,\S+ bytes for the shape .*received 0\.$"
            ):
                import_dataset(tmp_path / "a.npz")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 2_000_000  # bytes

    def test_a_damaged_header_has_its_sentence(self, tmp_path):
        path = sources.zipped(
            tmp_path / "a.npz", {"images.npy": b"\x93NUMPY\1\0\x10\0{'descr': open(}", "labels.npy": ""}
        )
        with pytest.raises(ValueError, match=r"^images\.npy: expected a NumPy array, but its header is damaged \("):
            import_dataset(path)


class TestIdxPairs:
    def test_the_names_of_kaggle_and_a_zip(self, tmp_path):
        folder = sources.idx_folder(tmp_path, packed=False)
        files = {path.name.replace("-idx", ".idx"): path.read_bytes() for path in folder.iterdir()}
        report = import_dataset(sources.zipped(tmp_path / "d.zip", files))

        assert report.images == {"train": 20, "test": 10}

    def test_one_pair_of_any_name_is_split(self, tmp_path):
        path = sources.written(
            tmp_path,
            {
                "a": sources.idx(sources.pixels(10, 8, 8)),
                "b.gz": gzip.compress(sources.idx(np.arange(10, dtype=np.uint8) % 2)),
            },
        )
        assert import_dataset(path).images == {"train": 8, "test": 2}

    def test_emnist_is_turned_upright(self, tmp_path):
        images = sources.pixels(4, 8, 8)
        files = {
            "emnist-x-train-images-idx3-ubyte": sources.idx(images),
            "emnist-x-train-labels-idx1-ubyte": sources.idx(np.array([0, 1, 0, 1], np.uint8)),
        }
        report = import_dataset(sources.written(tmp_path, files))
        dataset = datasets.load(report.name)

        both = np.concatenate([dataset.train.images, dataset.test.images])[..., 0]
        assert {image.tobytes() for image in both} == {image.T.tobytes() for image in images}
        assert any("EMNIST's images lie on their side; they are turned upright." in note for note in report.notes)

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            (
                {"train-labels-idx1-ubyte": None},
                "train-images-idx3-ubyte: expected a file of labels beside it, such as train-labels-idx1-ubyte beside "
                "train-images-idx3-ubyte: put both into one folder.",
            ),
            (
                {"train-labels-idx1-ubyte": sources.idx(np.zeros(19, np.uint8))},
                "train-images-idx3-ubyte: expected a label for each of its 20 images, received the 19 of "
                "train-labels-idx1-ubyte.",
            ),
            (
                {"train-images-idx3-ubyte": b"\0\0\x0a\3" + bytes(100)},
                "train-images-idx3-ubyte: expected an IDX file of numbers in 1 or 3 or 4 dimensions, received one that "
                "starts with 00 00 0a 03.",
            ),
            (
                {"train-images-idx3-ubyte": b"\0\0\x08\3" + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1)},
                f"train-images-idx3-ubyte: expected {(2**32 - 1) ** 3:,} values for the shape "
                "(4294967295, 4294967295, 4294967295), received a file of 16 bytes, which cannot hold them.",
            ),
            (
                {"train-images-idx3-ubyte": sources.idx(sources.pixels(20, 9, 10))[:-1]},
                "train-images-idx3-ubyte: expected 1,800 values for the shape (20, 9, 10), received 1,799.",
            ),
            (
                {"train-images-idx3-ubyte": sources.idx(np.zeros((20, 1, 1201), np.uint8))},
                "train-images-idx3-ubyte: expected images of 1 to 1,200 pixels a side, received the shape "
                "(20, 1, 1201).",
            ),
            (
                {"train-images-idx3-ubyte": None, "t10k-images-idx3-ubyte": None},
                "t10k-labels-idx1-ubyte: expected a file of images beside these labels.",
            ),
        ],
        ids=["no labels", "counts differ", "magic", "overflow", "cut short", "large", "no images"],
    )
    def test_a_wrong_pair_has_its_sentence(self, changes, sentence, tmp_path):
        folder = sources.idx_folder(tmp_path, packed=False)
        for name, data in changes.items():
            (folder / name).unlink() if data is None else (folder / name).write_bytes(data)

        with sources.refused(sentence):
            import_dataset(folder)

    def test_a_gzip_bomb_is_refused_before_it_is_unpacked(self, tmp_path):
        folder = sources.idx_folder(tmp_path, packed=True)
        header = b"\0\0\x08\3" + struct.pack(">3I", 20, 60_000, 60_000)
        (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + bytes(10_000)))

        with pytest.raises(ValueError, match=r"received a file of \d+ bytes, which cannot hold them\.$"):
            import_dataset(folder)

    def test_several_data_sets_in_one_folder_are_refused(self, tmp_path):
        folder = sources.idx_folder(tmp_path, packed=False)
        for path in list(folder.iterdir()):
            (folder / f"other-{path.name}").write_bytes(path.read_bytes())

        with pytest.raises(
            ValueError, match=r": expected one data set, received several: .* Import the files of one\.$"
        ):
            import_dataset(folder)
