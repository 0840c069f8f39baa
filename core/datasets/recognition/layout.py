"""Which folders of images are the splits and which the classes, whatever lies around, between and beside them.

    layout = find_layout(["pets/seg_train/seg_train/cats/1.jpg", …], sizes)
    layout.images[0]              # Placed(0, "train", "cats")
    layout.skipped               # [Skipped("pets/seg_pred/", …)]

Understood are `class/1.jpg`, `split/class/1.jpg` and `class/split/1.jpg`, with folders around them or doubled.
Names and numbers of files decide; their content is only asked for where a folder may be a copy.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from core.datasets.choices import Choices
from core.datasets.files import Skipped
from core.datasets.recognition.words import Role, SplitName, families_among, split_of, words_of
from core.system.text import quoted

Part = Literal["train", "validation", "test"]

_WRAPPERS = {
    *("fold", "folds", "part", "batch", "chunk", "session", "split", "set", "dataset", "data", "images", "photos"),
    *("pictures", "archive", "folder", "download", "upload", "export", "cv", "k", "group", "day", "week", "copy"),
}
"""What folders are called that hold classes, without being classes."""

_SHOWN = 6


class Placed(NamedTuple):
    """An image, by its position in the list, with its split, None where there is none, and its class."""

    position: int
    part: Part | None
    class_name: str


@dataclass
class Layout:
    """What was found.

    Attributes:
        images: those that have a class.
        splits: the folders of each split, where there are any.
        unlabelled: the positions of images that lie in no class's folder, by split.
        skipped: what is not used.
        datasets: the folders of whole data sets, where there are several; the layout is that of the first.
        classes: whether the outer or the inner folders are the classes, where both could be.
        notes: what was joined or guessed, a sentence each.
    """

    images: list[Placed] = field(default_factory=list)
    splits: dict[Part, list[str]] = field(default_factory=dict)
    unlabelled: dict[Part | None, list[int]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    datasets: tuple[str, ...] = ()
    classes: Literal["outer", "inner"] | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class _Folder:
    path: str
    children: dict[str, "_Folder"] = field(default_factory=dict)
    files: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def all_files(self) -> Iterator[int]:
        yield from self.files
        for child in self.children.values():
            yield from child.all_files()


def find_layout(
    paths: Sequence[str],
    sizes: Sequence[int],
    choices: Choices | None = None,
    are_same: Callable[[int, int], bool] = lambda _one, _other: True,
) -> Layout:
    """Return what the folders of images at `paths`, `/` between folders, say.

    Args:
        sizes: the images' lengths in bytes.
        are_same: says whether two images of the same name and size, by their positions, have the same content; only
            asked where a folder may be a copy of another.

    Raises:
        ValueError: if a folder that was chosen is not there.
    """
    choices = choices or Choices()
    root = _tree(paths)
    finder = _Finder(paths, sizes, choices, are_same)
    if choices.dataset is not None:
        root = _descend(root, choices.dataset, "dataset")
    if choices.train or choices.validation or choices.test:
        finder.take_chosen(root)
    else:
        finder.take(root)
    return finder.layout


def _tree(paths: Sequence[str]) -> _Folder:
    root = _Folder("")
    for position, path in enumerate(paths):
        folder = root
        for name in path.split("/")[:-1]:
            folder = folder.children.setdefault(name, _Folder(f"{folder.path}/{name}".lstrip("/")))
        folder.files.append(position)
    return root


def _descend(root: _Folder, path: str, name: str) -> _Folder:
    """Return the folder at a path, or the only one whose path ends so."""
    wanted = path.strip("/")
    ends = [folder for folder in _walk(root) if folder.path == wanted or f"/{folder.path}".endswith(f"/{wanted}")]
    if wanted in ("", "."):
        return root
    if not ends:
        raise ValueError(f"--{name}: expected a folder with images, but there is none called {quoted(path)}.")
    return min(ends, key=lambda folder: folder.path.count("/"))


def _walk(folder: _Folder) -> Iterator[_Folder]:
    for child in folder.children.values():
        yield child
        yield from _walk(child)


def _unwrapped(folder: _Folder) -> _Folder:
    """Go down as long as a single folder holds everything that could be a class."""
    while len(folder.children) == 1:
        child = next(iter(folder.children.values()))
        if not child.children:
            return folder
        folder = child
    return folder


def _bottom(folder: _Folder) -> _Folder:
    """Go down to where a split's classes or images lie: folders that only repeat or wrap it do not count."""
    while len(folder.children) == 1 and not folder.files:
        child = next(iter(folder.children.values()))
        is_wrapper = split_of(child.name) is not None or set(words_of(child.name)) <= _WRAPPERS | {"images", "jpg"}
        if not child.children and not is_wrapper:
            return folder
        folder = child
    return folder


class _Finder:
    """Fills a layout from folders."""

    def __init__(self, paths: Sequence[str], sizes: Sequence[int], choices: Choices, are_same):
        self.paths = paths
        self.sizes = sizes
        self.are_same = are_same
        self.choices = choices
        self.layout = Layout()

    def take_chosen(self, root: _Folder) -> None:
        """Take the folders that were chosen as splits; all others are left out."""
        chosen: dict[str, Part] = {}
        folders = {}
        for role in get_args(Part):
            if path := getattr(self.choices, role):
                folder = _descend(root, path, role)
                folders[folder.path] = folder
                chosen[folder.path] = role
        self._take_splits({role: [folders[path] for path in chosen if chosen[path] == role] for role in
                           dict.fromkeys(chosen.values())})  # fmt: skip
        used = {position for folder in folders.values() for position in folder.all_files()}
        if not chosen.keys() >= {""}:
            self._leave_rest(root, used, "It lies outside of the chosen splits.")

    def take(self, root: _Folder) -> None:
        """Take what lies in a folder, whichever layout it has."""
        if self.choices.splits is False:
            self._take_classes(_unwrapped(root), root)
            return
        roots = self._dataset_roots(_unwrapped(root)) or self._dataset_roots(root)
        if len(roots) > 1:
            self.layout.datasets = tuple(folder.path for folder in roots)
        if roots:
            first = roots[0]
            self._take_family(first)
            self._leave_rest(root, set(first.all_files()), "It lies beside the data set.", first)
            return
        folder = _unwrapped(root)
        if not self._take_classes_of_splits(folder):
            self._take_classes(folder, root)
        else:
            self._leave_rest(root, set(folder.all_files()), "It lies beside the data set.", folder)

    def _dataset_roots(self, folder: _Folder) -> list[_Folder]:
        """Return the topmost folders that have splits with classes in them, without copies of each other."""
        if self._family(folder):
            return [folder]
        found = [root for child in folder.children.values() for root in self._dataset_roots(child)]
        kept: list[_Folder] = []
        for root in found:
            content = self._content(root)
            other = next((other for other in kept if self._is_copy(content, self._content(other))), None)
            if other is None:
                kept.append(root)
            else:
                self._leave(root, f"It is a copy of {other.path}.")
        return kept

    def _family(self, folder: _Folder) -> dict[str, Role]:
        """Return the splits directly in a folder, by name; none unless one of them has folders of classes."""
        names = [name for name, child in folder.children.items()]
        families = families_among(names)
        structured = [
            family
            for family in families
            if any(_bottom(folder.children[name]).children for name, role in family.items() if role == "train")
        ]
        if structured:
            if len(structured) > 1:
                told = " and ".join(sorted(f"{name}/" for family in structured for name in family)[:_SHOWN])
                raise ValueError(
                    f"Expected one data set, received several, {told}: put the folders of each into one of its own."
                )
            return structured[0]
        # Classes, and beside them a test folder with the same classes.
        classes = {name for name in names if not split_of(name)}
        beside: dict[str, Role] = {
            name: split.role
            for name in names
            if (split := split_of(name)) and split.role in ("test", "validation") and not split.rest
            and len(classes & _bottom(folder.children[name]).children.keys()) >= 2
        }  # fmt: skip
        if beside and len(classes) >= 2:
            return {**dict.fromkeys(classes, "train"), **beside}
        return {}

    def _take_family(self, folder: _Folder) -> None:
        family = self._family(folder)
        by_role: dict[Part, list[_Folder]] = {}
        for name, role in family.items():
            if role == "unlabelled":
                self._leave(folder.children[name], "It is called as images without classes are.")
            else:
                by_role.setdefault(role, []).append(folder.children[name])
        if all(split_of(child.name) is None for child in by_role["train"]):
            merged = _Folder(folder.path, {child.name: child for child in by_role["train"]})
            self._take_splits(by_role | {"train": [merged]})
        else:
            self._take_splits(by_role)
        own = self._content(folder, among=family)
        for name, child in folder.children.items():
            if name not in family:
                is_copy = any(self._is_copy(self._content(inner), own) for inner in (child, _unwrapped(child)))
                self._leave(child, "It is a copy of what lies beside it." if is_copy else
                            f"It lies beside the splits {', '.join(sorted(family)[:_SHOWN])}.")  # fmt: skip
        for position in folder.files:
            self._leave_file(position)

    def _take_splits(self, by_role: Mapping[Part, Sequence[_Folder]]) -> None:
        for role, folders in by_role.items():
            self.layout.splits[role] = [folder.path or "." for folder in folders]
            for folder in folders:
                bottom = _bottom(folder)
                bottom = self._below_wrappers(bottom)
                for name, child in bottom.children.items():
                    self.layout.images += [Placed(position, role, name) for position in child.all_files()]
                if bottom.children:
                    for position in bottom.files:
                        self._leave_file(position)
                else:
                    self.layout.unlabelled.setdefault(role, []).extend(bottom.files)

    def _below_wrappers(self, folder: _Folder) -> _Folder:
        """Join the classes of folders that only wrap them, as `fold1/cats` and `fold2/cats`."""
        children = {name: child for name, child in folder.children.items() if child.children}
        if len(children) < 2 or self.choices.classes == "outer":
            return folder
        inside = [set(_unwrapped(child).children) for child in children.values()]
        common = Counter(name for names in inside for name in names)
        repeated = [name for name, count in common.items() if count > 1]
        if len(repeated) < 2 or len(repeated) < len(common) / 2:
            return folder
        if self.choices.classes != "inner" and not _are_wrappers(list(children)):
            self.layout.classes = "outer"
            self.layout.notes.append(
                f"The folders {_listed(children)} are the classes, though each holds {_listed(repeated)}: to take "
                "those for the classes, choose the inner folders (--classes inner)."
            )
            return folder
        self.layout.classes = "inner"
        self.layout.notes.append(
            f"The folders {_listed(children)} hold the same classes and become one data set; to take them for the "
            "classes, choose the outer folders (--classes outer)."
        )
        joined = _Folder(folder.path, files=list(folder.files))
        for wrapper in map(_unwrapped, children.values()):
            joined.files += wrapper.files
            for name, child in wrapper.children.items():
                known = joined.children.setdefault(name, _Folder(child.path))
                known.files += child.all_files()
        for name, child in folder.children.items():
            if name not in children:
                self._leave(child, "It lies beside folders of classes.")
        return joined

    def _take_classes_of_splits(self, folder: _Folder) -> bool:
        """Take `class/split/1.jpg`, if every class has splits of images only."""
        families = {name: families_among(child.children) for name, child in folder.children.items()}
        if len(families) < 2 or not all(len(family) == 1 for family in families.values()):
            return False
        for name, child in folder.children.items():
            for split, inner in child.children.items():
                role = families[name][0].get(split)
                if role is None or role == "unlabelled":
                    self._leave(inner, "It lies beside the splits of its class.")
                    continue
                self.layout.splits.setdefault(role, []).append(inner.path)
                self.layout.images += [Placed(position, role, name) for position in inner.all_files()]
            for position in child.files:
                self._leave_file(position, "It lies in no split's folder.", "Put it into one of the splits' folders.")
        for position in folder.files:
            self._leave_file(position)
        return True

    def _take_classes(self, folder: _Folder, root: _Folder) -> None:
        """Take folders of classes without splits."""
        below = self._below_wrappers(folder)
        children = dict(below.children)
        flat = [child for child in children.values() if not child.children]
        if self.choices.splits is not False:
            related = {name for family in families_among(children) for name in family}
            said = {
                name: split for name in children if (split := split_of(name)) and (not split.rest or name in related)
            }
            if len(said) == len(children) == len(flat) and (children or folder.files):
                for name, split in said.items():
                    role = None if split.role == "unlabelled" else split.role
                    self.layout.unlabelled.setdefault(role, []).extend(children[name].files)
                    if role:
                        self.layout.splits.setdefault(role, []).append(children[name].path)
                self.layout.unlabelled.setdefault(None, []).extend(below.files)
                return
            self._leave_unlabelled(children, said)
        self.layout.images += [
            Placed(position, None, name) for name, child in children.items() for position in child.all_files()
        ]
        used = set(below.all_files())
        if not children:
            self.layout.unlabelled.setdefault(None, []).extend(below.files)
        else:
            for position in below.files:
                self._leave_file(position)
        if below is folder:
            self._leave_rest(root, used, "It lies in no class's folder.", folder)

    def _leave_unlabelled(self, children: dict[str, _Folder], said: Mapping[str, SplitName]) -> None:
        """Leave out folders beside the classes that are called as images without classes are."""
        others = [name for name in children if name not in said]
        families = families_among(children)
        if families or (len(others) >= 2 and any(split.role in ("test", "unlabelled") for split in said.values())):
            for name, split in said.items():
                if split.role != "train" and not children[name].children:
                    self._leave(children.pop(name), "It is called as images without classes are.")

    def _content(self, folder: _Folder, among: Mapping[str, Role] | None = None) -> dict[tuple[str, int], int]:
        """Return the images below a folder by their paths, without its own, and their sizes."""
        start = len(folder.path) + 1 if folder.path else 0
        positions = (
            folder.all_files()
            if among is None
            else (position for name in among for position in folder.children[name].all_files())
        )
        return {(self.paths[position][start:], self.sizes[position]): position for position in positions}

    def _is_copy(self, content: Mapping[tuple[str, int], int], of: Mapping[tuple[str, int], int]) -> bool:
        """Say whether all images of one content are in another, to the byte."""
        return content.keys() <= of.keys() and all(
            self.are_same(position, of[key]) for key, position in content.items()
        )

    def _leave(self, folder: _Folder, reason: str) -> None:
        count = sum(1 for _ in folder.all_files())
        images = "1 image" if count == 1 else f"{count:,} images"
        self.layout.skipped.append(
            Skipped(f"{folder.path}/", f"{reason} It holds {images}.", "Import it on its own, or choose the splits.")
        )

    def _leave_file(self, position: int, reason: str = "It lies in no class's folder.", fix: str = "") -> None:
        fix = fix or "Put it into a folder that is called as its class."
        self.layout.skipped.append(Skipped(self.paths[position], reason, fix))

    def _leave_rest(self, root: _Folder, used: set[int], reason: str, spared: _Folder | None = None) -> None:
        """Leave out everything below `root` that is not used: files of their own, folders as a whole."""
        told = {entry.file for entry in self.layout.skipped}
        for position in root.files:
            if position not in used and self.paths[position] not in told:
                self._leave_file(position)
        for child in root.children.values():
            if child is spared or f"{child.path}/" in told:
                continue
            files = set(child.all_files())
            if not files & used:
                self._leave(child, reason)
            elif not files <= used:
                self._leave_rest(child, used, reason, spared)


def _are_wrappers(names: Sequence[str]) -> bool:
    """Say whether folders are called as wrappers are, and alike but for a number."""
    words = [tuple(word for word in words_of(name) if not word.isdigit()) for name in names]
    return len(set(words)) == 1 and set(words[0]) <= _WRAPPERS


def _listed(names: Mapping[str, object] | Sequence[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
