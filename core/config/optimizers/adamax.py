"""Adamax: Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 2."""

from typing import TYPE_CHECKING, Any

from core.config.framework_default import FrameworkDefault
from core.config.optimizer import Argument, Optimizer

if TYPE_CHECKING:
    from core.config import RunConfig


def _keras_class(config: "RunConfig", keras: Any) -> type | None:
    if config.defaults == "framework":
        return None

    class AlignedAdamax(keras.optimizers.Adamax):
        """Adds epsilon to each new gradient's size, as PyTorch does, and not to the greatest one remembered."""

        def update_step(self, gradient, variable, learning_rate):
            index = self._get_variable_index(variable)
            first, greatest = self._m[index], self._u[index]
            step = keras.ops.cast(self.iterations + 1, variable.dtype)
            self.assign_add(first, (gradient - first) * (1 - self.beta_1))
            size = keras.ops.abs(gradient) + self.epsilon
            self.assign(greatest, keras.ops.maximum(greatest * self.beta_2, size))
            self.assign_sub(variable, learning_rate / (1 - self.beta_1**step) * first / greatest)

    return AlignedAdamax


OPTIMIZER = Optimizer(
    name="adamax",
    title="Adamax",
    description="is Adam with the greatest of the last gradients in place of their average size.",
    learning_rate=0.002,
    pytorch="Adamax",
    keras="Adamax",
    framework_rates=(0.002, 0.001),
    arguments=(
        Argument("beta_1", "betas", 0.9, "beta_1", 0.9),
        Argument("beta_2", "betas", 0.999, "beta_2", 0.999),
        Argument("epsilon", "eps", 1e-8, "epsilon", 1e-7, aligned=1e-8),
    ),
    keras_class=_keras_class,
    framework_defaults=(
        FrameworkDefault(
            "Adamax: ε",
            "1e-8, added to the size of each gradient",
            "1e-7, added to the greatest size that is remembered",
            "1e-8, added to the size of each gradient",
            "The length of the steps of weights with small gradients, all along.",
            "defaults",
        ),
    ),
)
