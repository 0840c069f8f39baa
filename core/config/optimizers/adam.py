"""Adam: Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1."""

from typing import TYPE_CHECKING, Any

from core.config.framework_default import FrameworkDefault
from core.config.optimizer import Argument, Optimizer

if TYPE_CHECKING:
    from core.config import RunConfig

ARGUMENTS = (
    Argument("beta_1", "betas", 0.9, "beta_1", 0.9),
    Argument("beta_2", "betas", 0.999, "beta_2", 0.999),
    Argument("epsilon", "eps", 1e-8, "epsilon", 1e-7, aligned=1e-8),
)


def keras_class(config: "RunConfig", keras: Any) -> type:
    """Return Keras's Adam, which with a weight decay is AdamW."""
    if config.defaults == "framework":
        return keras.optimizers.Adam

    class AlignedAdam(keras.optimizers.Adam):
        """Adds epsilon once the mean is corrected for its bias, as PyTorch and the paper do."""

        def update_step(self, gradient, variable, learning_rate):
            index = self._get_variable_index(variable)
            first, second = self._momentums[index], self._velocities[index]
            step = keras.ops.cast(self.iterations + 1, variable.dtype)
            self.assign_add(first, (gradient - first) * (1 - self.beta_1))
            self.assign_add(second, (gradient * gradient - second) * (1 - self.beta_2))
            size = keras.ops.sqrt(second / (1 - self.beta_2**step)) + self.epsilon
            self.assign_sub(variable, learning_rate / (1 - self.beta_1**step) * first / size)

    return AlignedAdam


OPTIMIZER = Optimizer(
    name="adam",
    title="Adam",
    description="divides a running average of the gradients by that of their sizes.",
    learning_rate=0.001,
    pytorch="Adam",
    keras="Adam",
    framework_rates=(0.001, 0.001),
    arguments=ARGUMENTS,
    implementation="fused",
    keras_class=keras_class,
    framework_defaults=(
        FrameworkDefault(
            "Adam: ε",
            "1e-8, added after the bias of the mean is corrected",
            "1e-7, added before, so that it counts up to 30 times as much in the first steps",
            "1e-8, after: Kingma and Ba, 2015, algorithm 1",
            "The length of the steps of weights with small gradients, mostly at the start.",
            "defaults",
        ),
    ),
    position=1,
)
