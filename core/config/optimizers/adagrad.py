"""Adagrad: Duchi, Hazan and Singer, "Adaptive subgradient methods", 2011."""

from typing import TYPE_CHECKING, Any

from core.config.framework_default import FrameworkDefault
from core.config.optimizer import Argument, Optimizer

if TYPE_CHECKING:
    from core.config import RunConfig


def _keras_class(config: "RunConfig", keras: Any) -> type | None:
    if config.defaults == "framework":
        return None

    class AlignedAdagrad(keras.optimizers.Adagrad):
        """Adds epsilon to the root, as PyTorch does, where Keras adds it to what is under the root."""

        def update_step(self, gradient, variable, learning_rate):
            total = self._accumulators[self._get_variable_index(variable)]
            self.assign_add(total, gradient * gradient)
            self.assign_sub(variable, learning_rate * gradient / (keras.ops.sqrt(total) + self.epsilon))

    return AlignedAdagrad


OPTIMIZER = Optimizer(
    name="adagrad",
    title="Adagrad",
    description="divides the gradient by the root of the sum of all its squares so far.",
    learning_rate=0.01,
    pytorch="Adagrad",
    keras="Adagrad",
    framework_rates=(0.01, 0.001),
    arguments=(
        Argument("epsilon", "eps", 1e-10, "epsilon", 1e-7, aligned=1e-10),
        Argument(None, "initial_accumulator_value", 0, "initial_accumulator_value", 0.1, aligned=0.0),
    ),
    capturable=False,
    keras_class=_keras_class,
    framework_defaults=(
        FrameworkDefault(
            "Adagrad: the sum of squares",
            "begins with 0",
            "begins with 0.1",
            "begins with 0: Duchi, Hazan and Singer, 2011",
            "The first steps: PyTorch's have about the length of the rate, Keras's are much shorter.",
            "defaults",
        ),
        FrameworkDefault(
            "Adagrad: ε",
            "1e-10, added to the root",
            "1e-7, added under the root, where it is as much as 3e-4 outside",
            "1e-10, added to the root",
            "The length of the steps of weights with small gradients, all along.",
            "defaults",
        ),
    ),
)
