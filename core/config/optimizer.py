"""What an optimizer is: all that Duet knows of it, from its title to the classes that compute it, in one entry.

    optimizer = OPTIMIZERS[config.optimizer]
    optimizer.build_pytorch(config, parameters, torch)      # a torch.optim.Optimizer
    optimizer.build_keras(config, keras)                    # a keras.Optimizer
    optimizer.pytorch_source(config)                        # ("torch.optim.SGD", ["momentum=0.9"])

Both engines and both exported scripts give a framework's class the same arguments, those of `arguments`; what they
leave out is the framework's own default. The frameworks come as arguments, as only the engines import them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from core.config.framework_default import FrameworkDefault

if TYPE_CHECKING:
    from core.config import RunConfig


class Argument(NamedTuple):
    """An argument of an optimizer: its name and its default in each framework.

    Arguments that share a name in PyTorch are items of a tuple there, as Adam's `betas` are.

    Args:
        setting: the field of `RunConfig` that decides it; None where the user does not.
        aligned: what it is with aligned defaults where the setting is empty, or there is none; None where it stays as
            it is.
    """

    setting: str | None
    pytorch: str
    pytorch_default: Any
    keras: str
    keras_default: Any
    aligned: Any = None

    def value(self, config: "RunConfig") -> Any:
        """Return what a run gives for it, or None where that is left to the framework."""
        given = getattr(config, self.setting) if self.setting else None
        return self.aligned if given is None and config.defaults == "aligned" else given


@dataclass(frozen=True)
class Optimizer:
    """An entry of `OPTIMIZERS`.

    Args:
        name: what stands in a run's config.
        title: what people read.
        description: what it does, a sentence that goes on from the title, such as "takes steps of one length.".
        learning_rate: one that works for every bundled network.
        pytorch: its class in `torch.optim`.
        keras: its class in `keras.optimizers`.
        framework_rates: the learning rate that each framework would take by itself, PyTorch's first.
        arguments: those it has besides the learning rate and the weight decay, in the order of the scripts.
        implementation: the fast one in PyTorch; "fused" makes a step of all weights in one call, "foreach" in a few.
        capturable: whether PyTorch's class takes the argument that makes it count its steps on the GPU, without which
            its steps cannot be recorded as a CUDA graph.
        decouples_weight_decay: whether weight decay is taken off the weights in PyTorch, too, and not added to the
            gradients.
        weight_decay_defaults: the weight decay that each framework would take by itself, PyTorch's first.
        keras_class: gives the class for a run, from the config and the module keras, where the run needs another than
            `keras`. With aligned defaults it must compute what PyTorch's class does.
        framework_defaults: the rows that the table of differing defaults has of it.
        position: those with a lower one stand before it where people choose; equals are in the order of their names.
    """

    name: str
    title: str
    description: str
    learning_rate: float
    pytorch: str
    keras: str
    framework_rates: tuple[float, float]
    arguments: tuple[Argument, ...] = ()
    implementation: Literal["fused", "foreach"] = "foreach"
    capturable: bool = True
    decouples_weight_decay: bool = False
    weight_decay_defaults: tuple[float, float] = (0, 0)
    keras_class: Callable[["RunConfig", Any], type | None] = lambda _config, _keras: None
    framework_defaults: tuple[FrameworkDefault, ...] = ()
    position: int = 100

    @property
    def settings(self) -> tuple[str, ...]:
        """The fields of a config that are this optimizer's own; it ignores those of others."""
        return tuple(argument.setting for argument in self.arguments if argument.setting)

    def build_pytorch(self, config: "RunConfig", parameters: list, torch: Any) -> Any:
        """Return the `torch.optim.Optimizer` of a run for these parameters, at the config's learning rate."""
        fast: dict[str, bool] = {self.implementation: True}
        if self.capturable:  # counts its steps on the GPU, so that they can be recorded
            fast["capturable"] = parameters[0].is_cuda
        given = {name: value for name, value, _ in self._pytorch_arguments(config)}
        return getattr(torch.optim, self.pytorch)(
            parameters, lr=config.learning_rate, weight_decay=config.weight_decay, **given, **fast
        )

    def build_keras(self, config: "RunConfig", keras: Any) -> Any:
        """Return the `keras.Optimizer` of a run, at the config's learning rate.

        Where its `weight_decay` is None although the config has some, it is to be added to the gradients.
        """
        optimizer = self.keras_class(config, keras) or getattr(keras.optimizers, self.keras)
        # Keras takes it off the weights in every optimizer; aligned, only those do that do in PyTorch.
        uncoupled = config.defaults == "framework" or self.decouples_weight_decay
        given = {name: value for name, value, _ in self._keras_arguments(config)}
        return optimizer(
            config.learning_rate, weight_decay=(config.weight_decay or None) if uncoupled else None, **given
        )

    def pytorch_source(self, config: "RunConfig") -> tuple[str, list[str]]:
        """Return the name of the class and the arguments that differ from its defaults, as source."""
        own = _source(self._pytorch_arguments(config))
        return f"torch.optim.{self.pytorch}", [*own, *self._decay_source(config, self.weight_decay_defaults[0])]

    def keras_source(self, config: "RunConfig") -> tuple[str, list[str]]:
        """Return the name of the class and the arguments that differ from its defaults, as source."""
        own = _source(self._keras_arguments(config))
        return f"keras.optimizers.{self.keras}", [*own, *self._decay_source(config, self.weight_decay_defaults[1])]

    def _pytorch_arguments(self, config: "RunConfig") -> list[tuple[str, Any, Any]]:
        """Return the name, the value and PyTorch's default of each argument that a run gives."""
        items: dict[str, list[tuple[Any, Any]]] = {}
        for argument in self.arguments:
            if (value := argument.value(config)) is not None:
                items.setdefault(argument.pytorch, []).append((value, argument.pytorch_default))
        return [
            (name, *(found[0] if len(found) == 1 else map(tuple, zip(*found, strict=True))))
            for name, found in items.items()
        ]

    def _keras_arguments(self, config: "RunConfig") -> list[tuple[str, Any, Any]]:
        """Return the name, the value and Keras's default of each argument that a run gives."""
        return [
            (argument.keras, value, argument.keras_default)
            for argument in self.arguments
            if (value := argument.value(config)) is not None
        ]

    def _decay_source(self, config: "RunConfig", default: float) -> list[str]:
        """Return the weight decay where there is one, or where the framework would take one by itself."""
        return [f"weight_decay={config.weight_decay}"] if config.weight_decay or default else []


def _source(arguments: list[tuple[str, Any, Any]]) -> list[str]:
    return [f"{name}={value}" for name, value, default in arguments if value != default]
