"""What is right for each input: its classes and images, what is told, or the sentence that refuses it."""

import gzip
from dataclasses import dataclass, field

import numpy as np

from core.datasets.choices import Choices
from tests.field.inputs import (
    GREY,
    HEADER,
    Make,
    columns_of,
    digits,
    digits_csv,
    file,
    folder,
    idx_of,
    idx_twice,
    images,
    linked,
    npy,
    npz,
    parquet,
    pictures,
    svhn_mat,
    table,
    tar_gz,
    zip_bytes,
    zip_in_code,
    zipped,
)


@dataclass(frozen=True)
class Case:
    """An input and what is right for it.

    Attributes:
        kind: what the input is an example of.
        make: writes it.
        classes: in their order; None where it is refused.
        train, test: the number of images.
        told: parts of sentences that the plan must have among its notes and what it leaves out.
        refused: a part of the sentence that refuses it.
        choices: what is decided otherwise than guessed.
    """

    kind: str
    make: Make
    classes: tuple[str, ...] | None = None
    train: int = 0
    test: int = 0
    told: tuple[str, ...] = ()
    refused: str | None = None
    choices: Choices = field(default_factory=Choices)


PETS = images(cats=5, dogs=5)
SPLIT = images(train__cats=6, train__dogs=6, test__cats=3, test__dogs=3)
TWO = ["0", "1"] * 4


def _splits(train: str, test: str, **more: int) -> dict[str, bytes]:
    return pictures({f"{train}/a": 6, f"{train}/b": 6, f"{test}/a": 3, f"{test}/b": 3} | more)


def _pixels(content: str | bytes, name: str = "t.csv") -> Make:
    return file(name, content)


def _labels(*labels: str) -> Make:
    return file("t.csv", table(list(labels) * 4))


_DIGITS, _OF = digits(70)

_NO_TEXT = {"an escape": "a\x1b[2Jb", "turned letters": "a\u202eb", "a paragraph's end": "a\u2029b", "a tab": "a\tb"}
"""What no class is called, by what is wrong with it."""

CASES = (
    # Layouts
    Case(
        "archive beside unpacked",
        folder(PETS, {"photos.zip": zip_bytes(PETS)}),
        ("cats", "dogs"),
        8,
        2,
        ("photos.zip: Its 10 files lie unpacked beside it.",),
    ),
    Case(
        "class without test images",
        folder(images(train__a=5, train__b=5, test__a=2)),
        ("a", "b"),
        10,
        2,
        ("not scored: b.",),
    ),
    Case(
        "no class in common",
        folder(images(train__a=5, train__b=5, test__x=2, test__y=2)),
        refused="both the same names",
    ),
    Case(
        "classes differ in capitals",
        folder(images(train__Cat=5, train__Dog=5, test__cat=2, test__dog=2)),
        refused="spell them alike",
    ),
    Case(
        "loose images",
        folder({"IMG_0.png": PETS["cats/00.png"], "IMG_1.png": PETS["cats/01.png"]}),
        refused="in a folder for each class",
    ),
    Case(
        "classes in names only",
        folder({f"train/{k}.{n}.png": PETS["cats/00.png"] for k in ("cat", "dog") for n in "012"}),
        refused="Their names begin with cat, dog",
    ),
    Case(
        "hidden folders",
        folder(PETS, images(**{".ipynb_checkpoints": 1, "@eaDir": 1})),
        ("cats", "dogs"),
        8,
        2,
        (".ipynb_checkpoints/: It is a hidden folder.", "@eaDir/: It is a folder of the system"),
    ),
    Case(
        "unknown endings",
        folder(
            {name.replace(".jpg", ".jpg?w=640"): data for name, data in pictures({"cats": 5, "dogs": 5}, "jpg").items()}
        ),
        ("cats", "dogs"),
        8,
        2,
    ),
    Case("one class", folder(images(cats=5)), refused="at least two classes, received only 'cats'"),
    Case(
        "letters without a shape",
        folder(pictures({"گل\u200cرز": 5, "co\xadop": 5, "猫\u3000犬": 5})),
        ("co\xadop", "گل\u200cرز", "猫\u3000犬"),
        12,
        3,
    ),
    Case("links", linked, ("cats", "fish"), 8, 2, ("dogs: It is a link.",)),
    Case(
        "long names",
        folder(pictures({"x" * 120 + " one": 5, "x" * 120 + " two": 5})),
        ("x" * 120 + " one", "x" * 120 + " two"),
        8,
        2,
    ),
    Case(
        "order of classes",
        folder(pictures({"class 10": 5, "class 2": 5, "class 1": 5})),
        ("class 1", "class 2", "class 10"),
        12,
        3,
    ),
    Case("rare classes", folder(images(common=60, rare=2)), ("common", "rare"), 50, 12, ("Rare",)),
    Case(
        "several sets",
        folder(
            {
                f"{side}/{name}": data + bytes([number])
                for number, side in enumerate(("s16", "s32"))
                for name, data in SPLIT.items()
            }
        ),
        refused="received several: s16, s32",
    ),
    Case(
        "several sets, one chosen",
        folder(
            {
                f"{side}/{name}": data + bytes([number])
                for number, side in enumerate(("s16", "s32"))
                for name, data in SPLIT.items()
            }
        ),
        ("cats", "dogs"),
        12,
        6,
        choices=Choices(dataset="s32"),
    ),
    Case(
        "extra folder beside the splits",
        folder(SPLIT, {"predict/0.png": b"x", "predict/1.png": b"y"}),
        ("cats", "dogs"),
        12,
        6,
        ("predict/: ",),
    ),
    Case(
        "table of labels",
        folder(
            {f"train/{n:04}.png": PETS["cats/00.png"] for n in range(8)},
            {"labels.csv": "id,breed\n" + "".join(f"{n:04},{'ab'[n % 2]}\n" for n in range(8))},
        ),
        ("a", "b"),
        6,
        2,
        ("labels.csv says the classes, in its column 'breed'",),
    ),
    Case(
        "one-hot table of labels",
        folder(
            {f"train/{n}.png": PETS["cats/00.png"] for n in range(8)},
            {"train/_classes.csv": "filename,a,b\n" + "".join(f"{n}.png,{n % 2},{1 - n % 2}\n" for n in range(8))},
        ),
        ("a", "b"),
        6,
        2,
    ),
    Case(
        "flat splits without a table",
        folder({f"{part}/{n}.png": PETS["cats/00.png"] for part in ("train", "test") for n in range(5)}),
        refused="in test/, train/ that lie in no class's",
    ),
    Case(
        "flat test in a doubled folder",
        folder(pictures({"asl_train/asl_train/a": 8, "asl_train/asl_train/b": 8, "asl_test/asl_test": 2})),
        ("a", "b"),
        13,
        3,
        ("asl_test/asl_test/00.png: It lies in no class's folder.",),
    ),
    *(
        Case(f"splits called {train} and {test}", folder(_splits(train, test)), ("a", "b"), 12, 6)
        for train, test in (
            ("trainingSet", "testSet"),
            ("TrainImages", "TestImages"),
            ("seg_train/seg_train", "seg_test/seg_test"),
            ("mnisttrain", "mnisttest"),
            ("Training", "Testing"),
        )
    ),
    Case(
        "splits called train2017 and val2017",
        folder(_splits("train2017", "val2017")),
        ("a", "b"),
        16,
        2,
        ("6 validation images, kept as given",),
    ),
    Case(
        "tables called by splits",
        zipped("t.zip", {"mnistTrain.csv": table(TWO), "mnistTest.csv": table(TWO[:4])}),
        ("0", "1"),
        8,
        4,
    ),
    Case(
        "nested copy",
        folder(SPLIT, {f"chest/{name}": data for name, data in SPLIT.items()}),
        ("cats", "dogs"),
        12,
        6,
        ("chest/: It is a copy of what lies beside it.",),
    ),
    Case(
        "a word inside a class's name",
        folder(
            pictures({f"{sign} test/{time}": 4 for sign in ("negative", "positive") for time in ("evening", "morning")})
        ),
        ("negative test", "positive test"),
        13,
        3,
        ("choose the inner folders",),
    ),
    Case(
        "folders of folders, the inner ones chosen",
        folder(pictures({f"{sign} test/{time}": 5 for sign in ("negative", "positive") for time in ("x", "y")})),
        ("x", "y"),
        16,
        4,
        choices=Choices(classes="inner"),
    ),
    Case(
        "splits inside of classes",
        folder(images(cats__train=6, cats__test=3, dogs__train=6, dogs__test=3)),
        ("cats", "dogs"),
        12,
        6,
    ),
    Case(
        "wrappers",
        folder(images(fold1__cats=5, fold1__dogs=5, fold2__cats=5, fold2__dogs=5)),
        ("cats", "dogs"),
        16,
        4,
        ("hold the same classes and become one data set",),
    ),
    Case(
        "splits that are classes",
        folder(images(train=5, test=5)),
        ("test", "train"),
        8,
        2,
        choices=Choices(splits=False),
    ),
    Case(
        "validation as the test",
        folder(images(train__a=6, train__b=6, val__a=3, val__b=3)),
        ("a", "b"),
        12,
        6,
        ("The validation images that came with the data are the test images",),
        choices=Choices(validation_as="test"),
    ),
    Case(
        "validation kept beside a test",
        folder(images(train__a=6, train__b=6, val__a=3, val__b=3, test__a=2, test__b=2)),
        ("a", "b"),
        18,
        4,
        ("6 validation images, kept as given",),
    ),
    Case(
        "validation without test",
        folder(images(train__a=10, train__b=10, val__a=3, val__b=3)),
        ("a", "b"),
        22,
        4,
        ("6 validation images, kept as given", "test images are held out of the training images"),
    ),
    Case(
        "no validation images, no note",
        folder(images(train__a=6, train__b=6, test=2)),
        ("a", "b"),
        10,
        2,
        ("It lies in no class's folder.",),
    ),
    *(
        Case(f"{name} beside images", folder(PETS, {name: data}), ("cats", "dogs"), 8, 2, (f"{name}: ",))
        for name, data in (
            ("classes.txt", ",".join("abcdefghijklmnopqrstuvwxyz")),
            ("old.csv.gz", gzip.compress(table(TWO).encode())[:-9]),
            ("meta.csv", "class,f0,f1,f2,f3,f4,f5,f6,f7,f8\na,1,2,3,4,5,6,7,8,9\nb,9,8,7,6,5,4,3,2,1\n"),
            ("notes.txt", "take one\r\n".encode("utf-16")),
        )
    ),
    # Tables
    Case(
        "windows-1252", _pixels(table(["Käse", "Köse", "Brot"] * 4).encode("cp1252")), ("Brot", "Käse", "Köse"), 10, 2
    ),
    Case("Shift-JIS", _pixels(table(["あ", "い"] * 5).encode("cp932")), ("あ", "い"), 8, 2),
    Case("UTF-16", _pixels(table(["ä", "ö"] * 5).encode("utf-16")), ("ä", "ö"), 8, 2),
    Case("header of numbers", _pixels(table(TWO, header=["label", *map(str, range(16))])), ("0", "1"), 6, 2),
    Case(
        "floats from 0 to 1",
        _pixels(table(TWO, cell=lambda value: f"{value / 255:.4f}")),
        ("0", "1"),
        6,
        2,
        ("stretched",),
    ),
    Case(
        "decimal commas",
        _pixels(table(TWO, separator=";", cell=lambda value: f"{value / 255:.4f}".replace(".", ","))),
        ("0", "1"),
        6,
        2,
        ("stretched",),
    ),
    *(
        Case(f"label called {name}", _pixels(table(TWO, header=[name, *HEADER[1:]])), ("0", "1"), 6, 2)
        for name in ("class_id", "gesture", "Target")
    ),
    Case(
        "no label column",
        _pixels(columns_of(table(TWO), lambda row: row[1:])),
        refused="call the column of classes label",
    ),
    Case(
        "label last, no header",
        _pixels(columns_of(table(TWO * 5, header=None), lambda row: [*row[1:], row[0]])),
        ("0", "1"),
        32,
        8,
        ("the classes are taken from column 17",),
    ),
    *(
        Case(
            f"no header, a name among numbers, {name}", _pixels(table(labels, header=None)), ("0", "1", "cats"), *counts
        )
        for name, labels, counts in (
            ("again and again", ["cats", "0", "1"] * 5, (12, 3)),
            ("once", ["cats", *["0", "1"] * 5], (9, 2)),
        )
    ),
    *(
        Case(f"one column too many: {name}", _pixels(columns_of(table(TWO), change)), ("0", "1"), 6, 2)
        for name, change in (
            ("index", lambda row: ["" if row[0] == "label" else "7", *row]),
            ("name", lambda row: [row[0], "class_name" if row[0] == "label" else f"digit {row[0]}", *row[1:]]),
            ("empty last", lambda row: [*row, ""]),
        )
    ),
    Case(
        "split column",
        _pixels(
            columns_of(
                table(TWO), lambda row: [*row, "split" if row[0] == "label" else "test" if row[1] == "0" else "train"]
            )
        ),
        ("0", "1"),
        6,
        2,
    ),
    Case(
        "pixels in one cell",
        _pixels(
            "emotion,pixels,Usage\n"
            + "".join(
                f"{n % 2},{' '.join(map(str, GREY[n].ravel()))},{'PublicTest' if n < 3 else 'Training'}\n"
                for n in range(9)
            )
        ),
        ("0", "1"),
        6,
        3,
    ),
    Case(
        "two tables",
        folder({"x_train.csv": columns_of(table(TWO), lambda row: row[1:]), "y_train.csv": "label\n" + "\n".join(TWO)}),
        ("0", "1"),
        6,
        2,
    ),
    Case("quoted label with a comma", _pixels(table(['"digit, 0"', '"digit, 1"'] * 4)), ("digit, 0", "digit, 1"), 6, 2),
    Case(
        "numpy.savetxt",
        _pixels(table([f"{n:.18e}" for n in (0, 1)] * 4, header=None, cell=lambda v: f"{v:.18e}")),
        ("0", "1"),
        6,
        2,
    ),
    Case(
        "0 to 16",
        _pixels(table(TWO, cell=lambda value: str(value // 16 + (value == 255)))),
        ("0", "1"),
        6,
        2,
        ("stretched",),
    ),
    Case(
        "a part of a word is no sign language",
        file("assignment2_train.csv", digits_csv(_DIGITS, _OF)),
        tuple("0123456789"),
        56,
        14,
    ),
    Case(
        "EMNIST as a table",
        file("emnist-digits-train.csv", digits_csv(_DIGITS.swapaxes(1, 2), _OF)),
        tuple("0123456789"),
        56,
        14,
        ("they are turned upright",),
    ),
    # Labels
    Case("underscores", _labels("0_1", "1"), ("1", "0_1"), 6, 2),
    Case("exponents", _labels("1e1", "10"), ("10", "1e1"), 6, 2),
    Case("long ids", _labels("9007199254740992", "9007199254740993"), ("9007199254740992", "9007199254740993"), 6, 2),
    Case("Arabic digits", _labels("1", "١"), ("1", "١"), 6, 2),
    Case("padded zeros", _labels("01", "1"), ("01", "1"), 6, 2),
    Case("versions", _labels("1", "1.0", "1.1", "1.10"), ("1", "1.0", "1.1", "1.10"), 13, 3),
    Case("1 and 1.0", _labels("1", "1.0", "2"), ("1", "2"), 10, 2, ("Joined: '1' and '1.0' are one class, 1",)),
    Case("names of nothing", _labels("nan", "NA", "None"), ("NA", "None", "nan"), 10, 2),
    *(
        Case(f"no text in {kind}: {name}", make, refused=f"expected text, received {told}")
        for name, label in _NO_TEXT.items()
        for kind, make, told in (
            ("arrays", npz(x=np.resize(GREY, (8, 8, 8)), y=np.array([label, "b"] * 4)), ascii(label)),
            ("a table", _labels(label, "b"), ascii(label)),
            # Names of files are shown with what is no text replaced.
            ("folders", folder(pictures({label: 5, "b": 5})), r"'a\ufffd"),
            ("a zip", zipped("a.zip", pictures({label: 5, "b": 5})), r"'a\ufffd"),
        )
    ),
    Case(
        "no text: half of a letter",
        npz(x=np.resize(GREY, (8, 8, 8)), y=np.array(["\ud800", "b"] * 4)),
        refused=r"expected text, received '\ud800'",
    ),
    Case(
        "no text: beyond Unicode",
        npz(x=np.resize(GREY, (8, 8, 8)), y=np.array([0x7FFFFFFF, 98] * 4, np.uint32).view("<U1")),
        refused="y.npy: expected text, received a label with the letter 0x7fffffff",
    ),
    Case("no text: empty", npz(x=np.resize(GREY, (4, 8, 8)), y=np.array([""] * 4, "<U0")), refused="empty text"),
    # Arrays
    *(
        Case(f"arrays called {x} and {y}", npz(**{x: _DIGITS, y: _OF}), tuple("0123456789"), 56, 14)
        for x, y in (
            ("train_x", "train_y"),
            ("trainX", "trainY"),
            ("data", "labels"),
            ("image", "label"),
            ("data", "target"),
            ("arr_0", "arr_1"),
        )
    ),
    Case("one-hot labels", npz(x=_DIGITS, y=np.eye(10)[_OF]), tuple("0123456789"), 56, 14),
    Case("labels as floats", npz(x=_DIGITS, y=_OF.astype(float)), tuple("0123456789"), 56, 14),
    Case("labels as bytes", npz(x=_DIGITS, y=_OF.astype("S1")), tuple("0123456789"), 56, 14),
    Case("binary images", npz(images=_DIGITS > 127, labels=_OF), tuple("0123456789"), 56, 14, ("stretched",)),
    Case("images of 4 bits", npz(images=_DIGITS // 16, labels=_OF), tuple("0123456789"), 56, 14, ("with 15 as white",)),
    Case(
        "two .npy beside a note",
        folder({"X.npy": npy(_DIGITS), "Y.npy": npy(_OF), "README.md": "Mine."}),
        tuple("0123456789"),
        56,
        14,
    ),
    Case("IDX twice", idx_twice, ("0", "1", "2"), 20, 10, ("It is the same as",)),
    Case(
        "IDX of 32 bits",
        folder({"train-images-idx3-ubyte": idx_of(_DIGITS), "train-labels-idx1-ubyte": idx_of(_OF, 12)}),
        tuple("0123456789"),
        56,
        14,
    ),
    Case(
        "a web page called IDX",
        folder({"train-images-idx3-ubyte": "<!doctype html>", "train-labels-idx1-ubyte": idx_of(_OF)}),
        refused="a web page, not data). The download failed",
    ),
    Case(
        "upright images called EMNIST",
        folder(
            {"emnist-my-train-images-idx3-ubyte": idx_of(_DIGITS), "emnist-my-train-labels-idx1-ubyte": idx_of(_OF)}
        ),
        tuple("0123456789"),
        56,
        14,
        ("stand upright",),
    ),
    # Archives and formats
    Case(
        "inner zip",
        zipped("p.zip", PETS | {"fish.zip": b"PK\3\4"}),
        ("cats", "dogs"),
        8,
        2,
        ("an archive inside an archive",),
    ),
    Case(
        "colon in a folder's name",
        zipped("p.zip", {name.replace("cats", "cats: mine"): data for name, data in PETS.items()}),
        ("cats: mine", "dogs"),
        8,
        2,
    ),
    Case(
        "zip with names in 1251", zip_in_code({"кот": 5, "пёс": 5}, "cp1251"), ("кот", "пёс"), 8, 2, ("read as cp1251",)
    ),
    Case("tar archive", tar_gz("photos.tar.gz", PETS), ("cats", "dogs"), 8, 2),
    Case(
        "Parquet of Hugging Face",
        folder(
            {
                "data/train-00000-of-00001.parquet": parquet(PETS, ["dogs", "cats"]),
                "data/test-00000-of-00001.parquet": parquet(images(cats=2, dogs=2), ["dogs", "cats"]),
            }
        ),
        ("dogs", "cats"),
        10,
        4,
    ),
    Case(
        "MATLAB of SVHN",
        folder({f"{part}_32x32.mat": svhn_mat([10, *range(1, 10)] * 2) for part in ("train", "test")}),
        tuple("0123456789"),
        20,
        20,
        ("The label 10 stands for the digit 0",),
    ),
    Case(
        "MATLAB 7.3", file("a.mat", b"MATLAB 7.3 MAT-file".ljust(600)), refused="save it in MATLAB with save(…, '-v7')"
    ),
    Case("PPM", folder(pictures({"a": 5, "b": 5}, "ppm")), ("a", "b"), 8, 2),
    Case("tall images", folder(pictures({"a": 5, "b": 5}, shape=(128, 16, 3))), ("a", "b"), 8, 2, ("padded",)),
    *(
        Case(f"unread: {name}", file(name, data), refused=reason)
        for name, data, reason in (
            ("photos.7z", b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
            ("photos.rar", b"Rar!\x1a\7", "a RAR archive"),
            ("mnist.pkl", b"\x80\4\x95", "a pickle, which is never opened"),
            ("scan.pdf", b"%PDF-1.4", "a PDF document"),
            ("cut.zip", zip_bytes(PETS)[:900], "a damaged zip"),
            ("train.csv", "<!DOCTYPE html>\n<html>", "a web page"),
            ("a.arff", "@relation digits\n@attribute p real\n", "an ARFF table"),
            ("empty.csv", b"", "an empty file"),
            ("train.parquet", b"PAR1", "a whole Parquet table, but it is damaged"),
            ("x.csv", zip_bytes({"[Content_Types].xml": b"x"}), "Excel"),
            ("digits.json", '[{"label":1,"pixel0":0}]', "a JSON text"),
        )
    ),
    Case(
        "unread: HEIC", folder({f"{k}/1.HEIC": b"\0\0\0\x18ftypheic" for k in ("cat", "dog")}), refused="a HEIC picture"
    ),
)
