"""One frozen, validated description of a run; JSON in and out.

    config = configure(framework="pytorch", epochs=3)
    config.model_dump_json()

`configure` is the one place where a user's values are checked, for the page and the command line
alike: the same value is refused with the same sentence. Titles, help texts, limits and defaults
are in the fields, so widgets and options are made from them.
"""

from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core import networks

Framework = Literal["pytorch", "tensorflow"]
Optimizer = Literal["sgd", "adam", "rmsprop"]
Normalization = Literal["unit", "symmetric"]
Initialisation = Literal["shared", "framework"]
Precision = Literal["float32", "float64"]
Defaults = Literal["framework", "aligned"]
ValidationPart = Literal["stratified", "last", "test"]

FRAMEWORK_TITLES: dict[Framework, str] = {"pytorch": "PyTorch", "tensorflow": "Keras"}

OPTIMIZER_TITLES: dict[Optimizer, str] = {"sgd": "SGD with momentum", "adam": "Adam", "rmsprop": "RMSprop"}

LEARNING_RATES: dict[Optimizer, float] = {"sgd": 0.01, "adam": 0.001, "rmsprop": 0.001}
"""A learning rate per optimizer that works for every bundled network."""


class RunConfig(BaseModel):
    """Everything that decides what a run computes, besides the data and the versions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field(default="mnist", title="Data set", description="The images to learn from.")
    architecture: str = Field(
        default="cnn-64-32-32",
        title="Network",
        description="Convolutional networks (cnn) are more accurate, dense ones (ann) train faster.",
    )
    framework: Framework = Field(
        default="pytorch",
        title="Framework",
        description="The library that does the arithmetic. The network and the data are the same in both.",
    )
    device: str = Field(
        default="cpu",
        title="Device",
        description="The processor that trains. Only what the framework really has on this machine is offered.",
        pattern=r"^(cpu|mps|gpu:\d{1,2})$",
    )
    epochs: int = Field(
        default=3,
        ge=1,
        le=1000,
        title="Epochs",
        description="How many times the network sees every training image. More take longer; "
        "too many memorise the training images.",
    )
    batch_size: int = Field(
        default=64,
        ge=1,
        le=8192,
        title="Batch size",
        description="How many images are averaged into one step. Larger batches are faster and calmer, "
        "smaller ones often generalise a little better.",
    )
    learning_rate: float = Field(
        default=0.01,
        gt=0,
        le=10,
        title="Learning rate",
        description="How far each step goes. Too high and the loss jumps or diverges, too low and it crawls.",
    )
    optimizer: Optimizer = Field(
        default="sgd",
        title="Optimizer",
        description="How a step is made from the gradient. SGD with momentum wants a rate near 0.01, "
        "Adam and RMSprop near 0.001.",
    )
    momentum: float = Field(
        default=0.9,
        ge=0,
        lt=1,
        title="Momentum",
        description="How much of the last step SGD carries into the next one.",
        json_schema_extra={"advanced": True},
    )
    validation_share: float = Field(
        default=0.1,
        gt=0,
        le=0.5,
        title="Validation share",
        description="The part of the training images that is held back to measure progress on. "
        "The weights of the epoch with the lowest validation loss are kept.",
        json_schema_extra={"advanced": True},
    )
    validation_part: ValidationPart = Field(
        default="stratified",
        title="Validation images",
        description="Stratified: drawn at random with the seed, each class in proportion. Last: the end of "
        "the training images, as Keras does it. Test: all training images are learnt from and the test images "
        "choose the epoch, as some publications do; the test accuracy is then a little too good.",
        json_schema_extra={"advanced": True},
    )
    normalization: Normalization = Field(
        default="unit",
        title="Normalisation",
        description="Unit scales pixels to 0…1, symmetric to -1…1.",
        json_schema_extra={"advanced": True},
    )
    initialisation: Initialisation = Field(
        default="shared",
        title="Initial weights",
        description="Shared: Glorot uniform, drawn once, so both frameworks start from the same weights. "
        "Framework: each draws its own by its own defaults.",
        json_schema_extra={"advanced": True},
    )
    initial_weights: str | None = Field(
        default=None,
        title="Start from run",
        description="The run whose weights this one starts from, trained in either framework. "
        "It must have the same network and images of the same shape and classes. Empty starts anew.",
        pattern=r"^[0-9a-f]{12}$",
        json_schema_extra={"advanced": True},
    )
    defaults: Defaults = Field(
        default="framework",
        title="Defaults",
        description="Framework: each keeps its own where they differ, such as the optimizer's epsilon. "
        "Aligned: both compute the same algorithm.",
    )
    precision: Precision = Field(
        default="float32",
        title="Precision",
        description="The numbers it computes with. float64 is several times slower; "
        "it tells rounding from real differences of the frameworks.",
        json_schema_extra={"advanced": True},
    )
    rotation: float = Field(
        default=0,
        ge=0,
        le=180,
        title="Rotation, degrees",
        description="Turns each training image by a random angle of up to so many degrees either way. "
        "10 suits handwriting.",
        json_schema_extra={"advanced": True},
    )
    zoom: float = Field(
        default=0,
        ge=0,
        le=0.5,
        title="Zoom",
        description="Scales each training image up or down by up to this share. 0.1 is ±10%.",
        json_schema_extra={"advanced": True},
    )
    shift_x: float = Field(
        default=0,
        ge=0,
        le=0.5,
        title="Horizontal shift",
        description="Moves each training image sideways by up to this share of its width.",
        json_schema_extra={"advanced": True},
    )
    shift_y: float = Field(
        default=0,
        ge=0,
        le=0.5,
        title="Vertical shift",
        description="Moves each training image up or down by up to this share of its height.",
        json_schema_extra={"advanced": True},
    )
    flip_horizontal: bool = Field(
        default=False,
        title="Horizontal flip",
        description="Mirrors half of the training images. Changes the meaning of digits and letters.",
        json_schema_extra={"advanced": True},
    )
    flip_vertical: bool = Field(
        default=False,
        title="Vertical flip",
        description="Turns half of the training images upside down. Rarely what is wanted.",
        json_schema_extra={"advanced": True},
    )
    seed: int = Field(
        default=42,
        ge=0,
        le=2**31 - 1,
        title="Seed",
        description="The start of all random numbers. The same seed on the same machine gives the same weights.",
        json_schema_extra={"advanced": True},
    )
    train_limit: int | None = Field(
        default=None,
        ge=20,
        title="Training limit",
        description="Use only so many training images (validation included), drawn with the seed. Empty uses them all.",
        json_schema_extra={"advanced": True},
    )
    threads: int = Field(
        default=0,
        ge=0,
        le=256,
        title="Threads",
        description="Processor threads for the arithmetic. 0 takes all cores; "
        "a pair that trains side by side gets half each.",
        json_schema_extra={"advanced": True},
    )


def configure(**values: Any) -> RunConfig:
    """Check a user's values and return the run they describe.

    Raises:
        ValueError: with one sentence that names the first wrong option, what was expected and what came.
    """
    try:
        config = RunConfig.model_validate(values)
    except ValidationError as error:
        raise ValueError(_sentence(error)) from None
    networks.get_architecture(config.architecture)  # here only: a run of a network that was deleted stays readable
    return config


def expected(name: str) -> str:
    """Say in words what values the field `name` takes, such as "a whole number from 1 to 1,000"."""
    field = RunConfig.model_fields[name]
    if name == "architecture":
        return f"one of {', '.join(networks.names())}"
    if name == "device":
        return "cpu, mps or gpu:0, gpu:1, …"
    if name == "initial_weights":
        return "the id of a run, such as 3f9c0a1b2c3d"
    if choices := choices_of(name):
        return f"one of {', '.join(choices)}"
    kind = field.annotation
    if kind is bool:
        return "true or false"
    noun = "a whole number" if int in {kind, *get_args(kind)} else "a number" if kind is float else "a name"
    bounds = {type(m).__name__: getattr(m, type(m).__name__.lower(), None) for m in field.metadata}
    match bounds:
        case {"Ge": low, "Le": high}:
            return f"{noun} from {low:,} to {high:,}"
        case {"Gt": low, "Le": high}:
            return f"{noun} above {low:,}, at most {high:,}"
        case {"Ge": low, "Lt": high}:
            return f"{noun} from {low:,} to below {high:,}"
        case {"Ge": low}:
            return f"{noun}, at least {low:,}"
    return noun


def choices_of(name: str) -> tuple[str, ...]:
    """Return the fixed choices of the field `name`, or nothing where it takes a number or a free name."""
    annotation = RunConfig.model_fields[name].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def option(name: str) -> str:
    """Return the command-line option of the field `name`."""
    return "--" + name.replace("_", "-")


def _sentence(error: ValidationError) -> str:
    detail = error.errors()[0]
    name = str(detail["loc"][0]) if detail["loc"] else ""
    if name not in RunConfig.model_fields:
        return f"Unknown setting {name!r}: expected one of {', '.join(RunConfig.model_fields)}."
    title = RunConfig.model_fields[name].title
    return f"{title} ({option(name)}): expected {expected(name)}, received {detail['input']!r}."
