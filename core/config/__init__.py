"""One frozen, validated description of a run; JSON in and out.

    config = configure(framework="pytorch", epochs=3)
    config.model_dump_json()

`configure` is the one place where a user's values are checked, for the page and the command line
alike: the same value is refused with the same sentence. Titles, help texts, limits and defaults
are in the fields, so widgets and options are made from them. What there is to know of an optimizer is one
module of `core.config.optimizers`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.config.optimizers import OPTIMIZERS
from core.system.text import in_words, quoted

Framework = Literal["pytorch", "keras"]
Schedule = Literal["constant", "step", "exponential", "cosine", "one_cycle"]
Normalization = Literal["unit", "symmetric", "standard"]
Initialisation = Literal["shared", "he", "framework"]
Precision = Literal["float32", "bfloat16", "float64"]
Defaults = Literal["framework", "aligned"]
ValidationPart = Literal["stratified", "grouped", "last", "given", "test"]
Monitor = Literal["val_loss", "val_accuracy"]
CheckpointPolicy = Literal["best", "last"]
ClassWeights = Literal["none", "balanced"]
FineTuning = Literal["head", "last", "all"]

if TYPE_CHECKING:
    Optimizer = str  # no type checker knows what a folder holds
else:
    Optimizer = Literal[tuple(OPTIMIZERS)]

FRAMEWORK_TITLES: dict[Framework, str] = {"pytorch": "PyTorch", "keras": "Keras"}

OPTIMIZER_TITLES: dict[Optimizer, str] = {name: entry.title for name, entry in OPTIMIZERS.items()}

CHOICE_TITLES: dict[str, Mapping[Any, str]] = {
    "framework": FRAMEWORK_TITLES,
    "optimizer": OPTIMIZER_TITLES,
    "schedule": {
        "constant": "Constant",
        "step": "Step",
        "exponential": "Exponential",
        "cosine": "Cosine",
        "one_cycle": "One-cycle",
    },
    "class_weights": {"none": "None", "balanced": "Balanced"},
    "validation_part": {
        "stratified": "Stratified",
        "grouped": "Grouped",
        "last": "Last",
        "given": "As given",
        "test": "Test",
    },
    "monitor": {"val_loss": "Lowest validation loss", "val_accuracy": "Highest validation accuracy"},
    "checkpoint_policy": {"best": "Best epoch", "last": "Last epoch"},
    "normalization": {"unit": "Unit, 0 to 1", "symmetric": "Symmetric, -1 to 1", "standard": "Standard"},
    "initialisation": {
        "shared": "Shared, Glorot uniform",
        "he": "Shared, He normal",
        "framework": "Each framework's own",
    },
    "fine_tuning": {"head": "Head only", "last": "Last blocks", "all": "All layers"},
    "defaults": {"framework": "Each framework's own", "aligned": "Aligned"},
    "precision": {"float32": "float32", "bfloat16": "bfloat16", "float64": "float64"},
}
"""What people read in place of the values, for each field with fixed choices."""

PRETRAINED_NETWORKS: dict[str, Normalization] = {"efficientnet-lite0": "symmetric"}
"""The networks that begin with published weights, see `core.networks.pretrained`, and how pixels were scaled there."""

LEARNING_RATES: dict[Optimizer, float] = {name: entry.learning_rate for name, entry in OPTIMIZERS.items()}
"""A learning rate per optimizer that works for every bundled network."""

OPTIMIZER_FIELDS: dict[Optimizer, tuple[str, ...]] = {name: entry.settings for name, entry in OPTIMIZERS.items()}
"""The settings that each optimizer has of its own; the others' do nothing."""

SCHEDULE_FIELDS: dict[Schedule, tuple[str, ...]] = {
    "constant": (),
    "step": ("decay_factor", "decay_epochs"),
    "exponential": ("decay_factor", "decay_epochs"),
    "cosine": (),
    "one_cycle": (),
}
"""The settings that each schedule has of its own, besides the warm-up that all have."""

_OWNERS: dict[str, tuple[str, frozenset[str]]] = {
    field: (choice, frozenset(value for value, fields in own.items() if field in fields))
    for choice, own in (("optimizer", OPTIMIZER_FIELDS), ("schedule", SCHEDULE_FIELDS))
    for field in {field for fields in own.values() for field in fields}
}
"""The settings that only some optimizers or schedules have: the field that chooses these, and which ones they are."""

GROUPS = ("Learning rate", "Optimizer", "Loss", "Validation", "Augmentation", "Start", "Data", "Arithmetic")
"""The groups of the advanced settings, in the order in which they are shown."""

MOST_SEEDS = 20
"""So many runs, or pairs, are launched at once at the most."""


_FORMER_FIELDS = {"weight_average": "ema_decay", "kept": "checkpoint_policy"}


def _users(setting: str) -> str:
    """Return the titles of the optimizers that have a setting of their own, such as "Adam and AdamW"."""
    return in_words(entry.title for entry in OPTIMIZERS.values() if setting in entry.settings)


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
        description="The processor that trains. Only what the framework really has on this machine is offered; "
        "auto takes the next one that is free.",
        pattern=r"^(auto|cpu|mps|gpu:\d{1,2})$",
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
        description="How a step is made from the gradient. "
        + " ".join(
            f"{entry.title} {entry.description} Its usual rate is {entry.learning_rate:g}."
            for entry in OPTIMIZERS.values()
        ),
    )
    momentum: float = Field(
        default=0.9,
        ge=0,
        lt=1,
        title="Momentum",
        description=f"How much of the last step {_users('momentum')} carries into the next one.",
        json_schema_extra={"group": "Optimizer"},
    )
    nesterov: bool = Field(
        default=False,
        title="Nesterov momentum",
        description=f"Lets {_users('nesterov')} look one step ahead, which often learns a little faster. "
        "Needs momentum.",
        json_schema_extra={"group": "Optimizer"},
    )
    beta_1: float = Field(
        default=0.9,
        ge=0,
        lt=1,
        title="Beta 1",
        description=f"How much of earlier gradients is remembered by {_users('beta_1')}.",
        json_schema_extra={"group": "Optimizer"},
    )
    beta_2: float = Field(
        default=0.999,
        ge=0,
        lt=1,
        title="Beta 2",
        description=f"How much of the gradients' sizes is remembered by {_users('beta_2')}.",
        json_schema_extra={"group": "Optimizer"},
    )
    rho: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        title="Rho",
        description=f"How much of the gradients' sizes is remembered by {_users('rho')}. Empty takes the default of "
        "the framework, or of the method where defaults are aligned.",
        json_schema_extra={"group": "Optimizer"},
    )
    epsilon: float | None = Field(
        default=None,
        gt=0,
        le=1,
        title="Epsilon",
        description="Keeps steps from exploding where gradients are tiny. Empty takes the default of the "
        "framework, or of the method where defaults are aligned.",
        json_schema_extra={"group": "Optimizer"},
    )
    weight_decay: float = Field(
        default=0,
        ge=0,
        le=1,
        title="Weight decay",
        description="Pulls every weight towards zero a little at each step, against memorising. 0.0005 is usual "
        "with SGD, 0.01 with AdamW.",
        json_schema_extra={"group": "Optimizer"},
    )
    clip_norm: float = Field(
        default=0,
        ge=0,
        le=1000,
        title="Gradient clipping",
        description="Shortens a gradient that is longer than this, all layers taken together, so that one odd "
        "batch cannot wreck the weights. 0 leaves gradients alone.",
        json_schema_extra={"group": "Optimizer"},
    )
    schedule: Schedule = Field(
        default="constant",
        title="Schedule",
        description="How the learning rate changes. Step and exponential multiply it by a factor every few epochs, "
        "at once or gradually; cosine falls to zero at the end; one-cycle rises from a 25th to the rate and falls "
        "to almost nothing, and learns fastest.",
        json_schema_extra={"group": "Learning rate"},
    )
    decay_factor: float = Field(
        default=0.5,
        gt=0,
        le=1,
        title="Decay factor",
        description="What step and exponential schedules multiply the rate by.",
        json_schema_extra={"group": "Learning rate"},
    )
    decay_epochs: float = Field(
        default=1,
        gt=0,
        le=1000,
        title="Decay epochs",
        description="After how many epochs the rate has been multiplied by the factor once.",
        json_schema_extra={"group": "Learning rate"},
    )
    warmup_epochs: float = Field(
        default=0,
        ge=0,
        le=1000,
        title="Warm-up epochs",
        description="Over so many epochs the rate rises to its full height, in equal steps. One-cycle rises by a "
        "cosine, and for 30% of the training where this is 0.",
        json_schema_extra={"group": "Learning rate"},
    )
    label_smoothing: float = Field(
        default=0,
        ge=0,
        lt=1,
        title="Label smoothing",
        description="The share of each answer that is spread over all classes, so that the network is never too "
        "sure. 0.1 is usual. The training loss then stays above zero; the validation loss is measured without it.",
        json_schema_extra={"group": "Loss"},
    )
    class_weights: ClassWeights = Field(
        default="none",
        title="Class weights",
        description="Balanced: images of rare classes count more, so that all classes together count the same. "
        "For uneven data.",
        json_schema_extra={"group": "Loss"},
    )
    ema_decay: float = Field(
        default=0,
        ge=0,
        lt=1,
        title="Weight averaging",
        description="Validates, keeps and tests a running average of the weights, which is calmer than the weights "
        "themselves. 0.99 remembers about 100 steps, 0.999 about 1,000; 0 turns it off.",
        json_schema_extra={"group": "Validation"},
    )
    validation_share: float = Field(
        default=0.1,
        gt=0,
        le=0.5,
        title="Validation share",
        description="The part of the training images that is held back to measure progress on. "
        "By default the weights of the epoch with the lowest validation loss are kept.",
        json_schema_extra={"group": "Validation"},
    )
    validation_part: ValidationPart = Field(
        default="stratified",
        title="Validation images",
        description="Stratified: drawn at random with the seed, each class in proportion. Grouped: so too, but "
        "near-duplicates stay together, as nothing is proved by recognising a variation of a training image. Last: the "
        "end of the training images, as Keras does it. As given: those that came with the data, where some did; the "
        "default there. Test: all training images are learnt from and the test images choose the epoch, as some "
        "publications do; the test accuracy is then a little too good.",
        json_schema_extra={"group": "Validation"},
    )
    validation_every: int = Field(
        default=1,
        ge=1,
        le=1000,
        title="Validate every",
        description="After how many epochs the network is validated; it always is after the last.",
        json_schema_extra={"group": "Validation"},
    )
    monitor: Monitor = Field(
        default="val_loss",
        title="Best by",
        description="What tells which epoch is the best: the lowest validation loss, or the highest validation "
        "accuracy.",
        json_schema_extra={"group": "Validation"},
    )
    patience: int = Field(
        default=0,
        ge=0,
        le=1000,
        title="Patience",
        description="Stops early when no epoch has been better for so many epochs. 0 never stops early.",
        json_schema_extra={"group": "Validation"},
    )
    checkpoint_policy: CheckpointPolicy = Field(
        default="best",
        title="Weights kept",
        description="Best: those of the best validated epoch are tested and used. Last: those of the end.",
        json_schema_extra={"group": "Validation"},
    )
    normalization: Normalization = Field(
        default="unit",
        title="Normalisation",
        description="Unit scales pixels to 0…1, symmetric to -1…1, standard to a mean of 0 and a standard deviation "
        "of 1 over the images that are learnt from. A pretrained network always has the one that it was trained with.",
        json_schema_extra={"group": "Data"},
    )
    initialisation: Initialisation = Field(
        default="shared",
        title="Initial weights",
        description="Shared: Glorot uniform, drawn once, so both frameworks start from the same weights. "
        "He normal: drawn once too, and suits deep networks with relu. "
        "Each framework's own: each draws by its own defaults.",
        json_schema_extra={"group": "Start"},
    )
    initial_weights: str | None = Field(
        default=None,
        title="Start from run",
        description="The run whose weights this one starts from, trained in either framework. "
        "It must have the same network and images of the same shape and classes. Empty starts anew.",
        pattern=r"^[0-9a-f]{12}$",
        json_schema_extra={"group": "Start"},
    )
    fine_tuning: FineTuning = Field(
        default="head",
        title="Fine-tuning",
        description="What of a pretrained network learns. Head only: the last layer, on features that are computed "
        "once for each image, so it takes seconds, and no augmentation is possible. Last blocks: a fifth of the layers "
        "as well. All layers: takes minutes, and a low learning rate such as 0.001.",
        json_schema_extra={"group": "Start"},
    )
    defaults: Defaults = Field(
        default="framework",
        title="Defaults",
        description="Each framework's own: where they differ, such as the optimizer's epsilon, each keeps its own. "
        "Aligned: both compute the same algorithm.",
    )
    precision: Precision = Field(
        default="float32",
        title="Precision",
        description="The numbers it computes with. bfloat16 is faster on processors made for it, slower on others. "
        "float64 is several times slower; it tells rounding from real differences of the frameworks.",
        json_schema_extra={"group": "Arithmetic"},
    )
    rotation: float = Field(
        default=0,
        ge=0,
        le=180,
        title="Rotation, degrees",
        description="Turns each training image by a random angle of up to so many degrees either way. "
        "10 suits handwriting.",
        json_schema_extra={"group": "Augmentation"},
    )
    zoom: float = Field(
        default=0,
        ge=0,
        le=0.5,
        title="Zoom",
        description="Scales each training image up or down by up to this share. 0.1 is ±10%.",
        json_schema_extra={"group": "Augmentation"},
    )
    shift_x: float = Field(
        default=0,
        ge=0,
        le=0.5,
        title="Horizontal shift",
        description="Moves each training image sideways by up to this share of its width.",
        json_schema_extra={"group": "Augmentation"},
    )
    shift_y: float = Field(
        default=0,
        ge=0,
        le=0.5,
        title="Vertical shift",
        description="Moves each training image up or down by up to this share of its height.",
        json_schema_extra={"group": "Augmentation"},
    )
    flip_horizontal: bool = Field(
        default=False,
        title="Horizontal flip",
        description="Mirrors half of the training images. Changes the meaning of digits and letters.",
        json_schema_extra={"group": "Augmentation"},
    )
    flip_vertical: bool = Field(
        default=False,
        title="Vertical flip",
        description="Turns half of the training images upside down. Rarely what is wanted.",
        json_schema_extra={"group": "Augmentation"},
    )
    erasing: float = Field(
        default=0,
        ge=0,
        le=1,
        title="Erasing",
        description="The share of training images in which a random rectangle is blacked out, so that no single "
        "part decides.",
        json_schema_extra={"group": "Augmentation"},
    )
    seed: int = Field(
        default=42,
        ge=0,
        le=2**31 - 1,
        title="Seed",
        description="The start of all random numbers. The same seed on the same machine gives the same weights.",
        json_schema_extra={"group": "Start"},
    )
    train_limit: int | None = Field(
        default=None,
        ge=20,
        title="Training limit",
        description="Use only so many training images (validation included, unless it is as given), drawn with the "
        "seed. Empty uses them all.",
        json_schema_extra={"group": "Data"},
    )
    threads: int = Field(
        default=0,
        ge=0,
        le=256,
        title="Threads",
        description="Processor threads for the arithmetic. 0 takes all cores; "
        "a pair that trains side by side gets half each.",
        json_schema_extra={"group": "Arithmetic"},
    )

    @model_validator(mode="before")
    @classmethod
    def _understand_former_names(cls, values: Any) -> Any:
        """Take what earlier versions of Duet have stored, and `tensorflow` for Keras."""
        if not isinstance(values, Mapping):
            return values
        renamed = {_FORMER_FIELDS.get(name, name): value for name, value in values.items()}
        if renamed.get("framework") == "tensorflow":
            renamed["framework"] = "keras"
        if (network := renamed.get("architecture")) in PRETRAINED_NETWORKS:
            renamed["normalization"] = PRETRAINED_NETWORKS[network]
        return renamed

    @model_validator(mode="after")
    def _fits_together(self) -> "RunConfig":
        if self.nesterov and "nesterov" in OPTIMIZER_FIELDS[self.optimizer] and not self.momentum:
            raise ValueError("Nesterov momentum (--nesterov): expected a momentum above 0 with it, received 0.")
        if self.architecture in PRETRAINED_NETWORKS and self.fine_tuning != "all" and self._changes_images():
            raise ValueError(
                f"Fine-tuning (--fine-tuning): expected all where images are augmented, received "
                f"{quoted(self.fine_tuning)}: layers that do not learn see each image once, as it is. "
                "Take augmentation off, or train all layers."
            )
        if self.warmup_epochs >= self.epochs and self.warmup_epochs:
            raise ValueError(
                f"Warm-up epochs (--warmup-epochs): expected fewer than the {self.epochs:,} epochs of the run, "
                f"received {self.warmup_epochs:g}."
            )
        return self

    def _changes_images(self) -> bool:
        names = (name for name in RunConfig.model_fields if group_of(name) == "Augmentation")
        return any(getattr(self, name) for name in names)


def group_of(name: str) -> str | None:
    """Return the group of the advanced settings that the field `name` is in, if any."""
    extra = RunConfig.model_fields[name].json_schema_extra
    return str(extra["group"]) if isinstance(extra, dict) and "group" in extra else None


def configure(**values: Any) -> RunConfig:
    """Check a user's values and return the run they describe.

    Raises:
        ValueError: with one sentence that names the first wrong option, what was expected and what came.
    """
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise ValueError(_sentence(error)) from None


def with_seeds(config: RunConfig, count: int | None) -> list[RunConfig]:
    """Return `count` runs that differ by their seed alone: that of `config` and those that follow it.

    Raises:
        ValueError: if there would be none or too many, or a seed too high.
    """
    if not isinstance(count, int) or not 1 <= count <= MOST_SEEDS:
        raise ValueError(f"Seeds (--seeds): expected a whole number from 1 to {MOST_SEEDS}, received {quoted(count)}.")
    return [configure(**{**config.model_dump(), "seed": config.seed + position}) for position in range(count)]


def is_used(name: str, settings: Mapping[str, Any]) -> bool:
    """Say whether the setting `name` does anything beside the others, such as Adam's beta without Adam.

    Args:
        settings: a value for every field, such as `config.model_dump()`; they may be out of range.
    """
    if name in _OWNERS:
        choice, owners = _OWNERS[name]
        return settings[choice] in owners
    match name:
        case "monitor":
            return settings["checkpoint_policy"] == "best" or bool(settings["patience"])
        case "validation_share":
            return settings["validation_part"] not in ("given", "test")
        case "initialisation":
            return not settings["initial_weights"]
        case "normalization":
            return settings["architecture"] not in PRETRAINED_NETWORKS
        case "fine_tuning":
            return settings["architecture"] in PRETRAINED_NETWORKS
        case "threads":
            return settings["device"] == "cpu"
    return True


def expected(name: str) -> str:
    """Say in words what values the field `name` takes, such as "a whole number from 1 to 1,000"."""
    field = RunConfig.model_fields[name]
    if name == "architecture":
        return "the name of a network, such as cnn-64-32-32"
    if name == "device":
        return "auto, cpu, mps or gpu:0, gpu:1, …"
    if name == "initial_weights":
        return "the id of a run, such as 3f9c0a1b2c3d"
    if choices := choices_of(name):
        return f"one of {', '.join(choices)}"
    kind = field.annotation
    if kind is bool:
        return "true or false"
    kinds = {kind, *get_args(kind)}
    noun = "a whole number" if int in kinds else "a number" if float in kinds else "a name"
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


def choices_of(name: str) -> tuple[Any, ...]:
    """Return the fixed choices of the field `name`, or nothing where it takes a number or a free name."""
    annotation = RunConfig.model_fields[name].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def option(name: str) -> str:
    """Return the command-line option of the field `name`."""
    return "--" + name.replace("_", "-")


def _sentence(error: ValidationError) -> str:
    detail = error.errors()[0]
    if not detail["loc"]:  # of several settings that do not fit together, which has a sentence of its own
        return str(detail["ctx"]["error"])
    name = str(detail["loc"][0])
    if name not in RunConfig.model_fields:
        return f"Unknown setting {quoted(name)}: expected one of {', '.join(RunConfig.model_fields)}."
    title = RunConfig.model_fields[name].title
    return f"{title} ({option(name)}): expected {expected(name)}, received {quoted(detail['input'])}."
