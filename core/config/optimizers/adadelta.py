"""Adadelta: Zeiler, "ADADELTA: an adaptive learning rate method", 2012."""

from core.config.framework_default import FrameworkDefault
from core.config.optimizer import Argument, Optimizer

OPTIMIZER = Optimizer(
    name="adadelta",
    title="Adadelta",
    description="makes each step about as long as the last ones were.",
    learning_rate=1.0,
    pytorch="Adadelta",
    keras="Adadelta",
    framework_rates=(1.0, 0.001),
    arguments=(
        Argument("rho", "rho", 0.9, "rho", 0.95, aligned=0.95),
        Argument("epsilon", "eps", 1e-6, "epsilon", 1e-7, aligned=1e-6),
    ),
    framework_defaults=(
        FrameworkDefault(
            "Adadelta: decay",
            "ρ = 0.9",
            "ρ = 0.95",
            "0.95: Zeiler, 2012",
            "How fast the lengths of its steps follow those of the gradients.",
            "defaults",
        ),
        FrameworkDefault(
            "Adadelta: ε",
            "1e-6",
            "1e-7",
            "1e-6: Zeiler, 2012",
            "The length of the first steps, which begin at √ε: PyTorch's are √10 ≈ 3.2 times as long.",
            "defaults",
        ),
    ),
    position=4,
)
