"""RMSprop: Hinton, lecture 6e of "Neural networks for machine learning", 2012."""

from typing import TYPE_CHECKING, Any

from core.config.framework_default import FrameworkDefault
from core.config.optimizer import Argument, Optimizer

if TYPE_CHECKING:
    from core.config import RunConfig


def _keras_class(config: "RunConfig", keras: Any) -> type | None:
    if config.defaults == "framework":
        return None

    class AlignedRMSprop(keras.optimizers.RMSprop):
        """Adds epsilon to the root, as PyTorch does, where Keras adds it to what is under the root."""

        def update_step(self, gradient, variable, learning_rate):
            average = self._velocities[self._get_variable_index(variable)]
            self.assign(average, self.rho * average + (1 - self.rho) * gradient * gradient)
            self.assign_sub(variable, learning_rate * gradient / (keras.ops.sqrt(average) + self.epsilon))

    return AlignedRMSprop


OPTIMIZER = Optimizer(
    name="rmsprop",
    title="RMSprop",
    description="divides the gradient by a running average of its size.",
    learning_rate=0.001,
    pytorch="RMSprop",
    keras="RMSprop",
    framework_rates=(0.01, 0.001),
    arguments=(
        # PyTorch remembers ten times as many steps, so its first ones are three times as long.
        Argument("rho", "alpha", 0.99, "rho", 0.9, aligned=0.9),
        Argument("epsilon", "eps", 1e-8, "epsilon", 1e-7, aligned=1e-8),
    ),
    keras_class=_keras_class,
    framework_defaults=(
        FrameworkDefault(
            "RMSprop: decay",
            "α = 0.99",
            "ρ = 0.9",
            "0.9: Hinton's lecture, 2012",
            "The first steps: PyTorch's are √10 ≈ 3.2 times as long, and at a rate of 0.001 the loss can jump.",
            "defaults",
        ),
        FrameworkDefault(
            "RMSprop: ε",
            "1e-8, added to the root",
            "1e-7, added under the root, where it is as much as 3e-4 outside",
            "1e-8, added to the root",
            "The length of the steps of weights with small gradients, all along.",
            "defaults",
        ),
    ),
    position=3,
)
