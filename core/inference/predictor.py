"""A network at hand and all that its predictions need: what images it takes, its temperature, what is familiar to it.

    predictor = NetworkPredictor(network, description, weights, temperature=1.3)
    predictor.measure_familiarity(directory)              # seconds, the first time only
    predictor.read(data, "seven.jpg").label

The command line, the pages and the HTTP service all predict by `NetworkPredictor.read`, so they agree.
"""

from pathlib import Path

import numpy as np

from core.datasets import load
from core.inference.answers import Prediction, answer, calibrated
from core.inference.preprocessing import AUTOMATIC, Adjustments
from core.system.files import explain_refusal
from core.training import familiarity
from core.training.checkpoints import Description
from core.training.familiarity import Familiarity, FeatureNetwork
from core.training.metrics import probabilities


class NetworkPredictor:
    """Predicts with a network; it is what `core.inference.answers.answer` asks."""

    def __init__(
        self,
        network: FeatureNetwork,
        description: Description,
        weights: str = "",
        *,
        temperature: float = 1.0,
        damage: str = "",
        known: Familiarity | None = None,
    ):
        """Predict with `network`, that of a checkpoint which is described so.

        Args:
            weights: the `core.system.tensors.digest` of its weights.
            temperature: at which its probabilities are calibrated, see `core.training.calibration`.
            damage: what is told of the checkpoint with each prediction.
            known: what is familiar to it, where that has been measured.
        """
        self.description, self.temperature = description, temperature
        self.known = known
        self._network, self._weights, self._damage = network, weights, damage

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return the network's own probabilities, float32 `(N, classes)`, of uint8 images `(N, H, W, C)`."""
        return probabilities(self._network.predict(pixels), self.description.architecture)

    def unfamiliarity(self, pixels: np.ndarray) -> np.ndarray | None:
        """Return how unfamiliar uint8 images `(N, H, W, C)` are, see `core.training.familiarity`; None if unknown."""
        if self.known is None:
            return None
        return familiarity.score(self.known, self._network, self.description, pixels)

    def recall_familiarity(self, directory: Path) -> None:
        """Take what the folder of the network's run knows to be familiar to it, as soon as anybody has measured it."""
        if self.known is None:
            self.known = familiarity.read(directory, self._weights)

    def measure_familiarity(self, directory: Path) -> None:
        """Find out what is familiar to the network, unless the folder of its run knows; seconds, once a run.

        Nothing happens where the data are no longer those that it was trained on.
        """
        self.recall_familiarity(directory)
        if self.known is not None:
            return
        try:
            dataset = load(self.description.config.dataset)
        except (ValueError, OSError):
            return
        if dataset.fingerprint == self.description.fingerprint:
            self.known = familiarity.measure(self._network, self.description, dataset)
            try:
                familiarity.write(directory, self.known, self._weights)
            except FileNotFoundError:  # the run was deleted meanwhile
                pass
            except OSError as error:  # on a full or read-only disk it is found out again the next time
                if explain_refusal(error) is None:
                    raise

    def read(
        self, data: bytes, name: str, adjustments: Adjustments = AUTOMATIC, *, is_calibrated: bool = True
    ) -> Prediction:
        """Read the bytes of an image file called `name`.

        Args:
            is_calibrated: whether probabilities are those at the network's temperature, else they are its own.

        Raises:
            ValueError: as `answer` does.
        """
        found = answer(data, name, self, adjustments)._replace(damage=self._damage)
        return calibrated(found, self.temperature) if is_calibrated else found
