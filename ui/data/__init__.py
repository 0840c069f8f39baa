"""The views of the data page: each is a module whose `show(dataset)` shows one side of a data set.

Only the view that is looked at runs. A new one is one file here and one line in `VIEWS`.
"""

from collections.abc import Callable

from core.datasets import Dataset
from ui.data import add, augmentation, classes, health, image_map, images, labels, overview

VIEWS: dict[str, Callable[[Dataset], None]] = {
    "Overview": overview.show,
    "Images": images.show,
    "Classes": classes.show,
    "Map": image_map.show,
    "Health": health.show,
    "Labels": labels.show,
    "Augmentation": augmentation.show,
    "Add data": add.show,
}
"""The views by their titles, which are also their names in the address."""
