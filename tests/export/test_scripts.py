"""The exported scripts: each repeats a run with nothing but its framework, from IDX files or an .npz."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.config import LEARNING_RATES, RunConfig, choices_of, configure
from core.config.optimizers import OPTIMIZERS
from core.datasets import Dataset, Split, mnist, split_train
from core.engines import get_engine
from core.engines.averaging import averaging_decay
from core.export import build
from core.export.formats import data
from core.export.script import _HOLD_BACK
from core.networks.layers import Activation, BatchNorm, Convolution, Dense, Dropout, Flatten, Residual
from core.training.schedules import SCHEDULES, learning_rates
from tests.export.test_export import NAMES, RUN, load_module, save
from tests.sample_data import make_dataset, noise
from tests.sample_networks import NETWORKS, draw_data, network

MNIST = Path(mnist.__file__).parent / "bundled" / "mnist"

SCRIPTS = {"pytorch-script": ("tensorflow", "keras"), "keras-script": ("torch", "torchvision")}
"""Each script, and what it must do without beside Duet itself."""

_RUN_ALONE = """
import runpy, sys
for name in {without!r}:
    sys.modules[name] = None
sys.argv = {argv!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""

each_script = pytest.mark.parametrize("script", SCRIPTS)


def run(script: str, folder: Path, *arguments: str) -> float:
    """Export the script of `RUN` and run it as `run_alone` does."""
    path = folder / "train.py"
    path.write_bytes(build(RUN, script))
    return run_alone(script, path, *arguments)


def run_alone(script: str, path: Path, *arguments: str) -> float:
    """Run an exported script in a process that has only its framework; return the test accuracy it prints."""
    without = (*SCRIPTS[script], "core", "pydantic", "safetensors", "scipy", "pandas", "streamlit")
    done = subprocess.run(
        [sys.executable, "-c", _RUN_ALONE.format(without=without, argv=[str(path), *arguments])],
        cwd=path.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # many threads on a busy machine wait for each other
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(re.fullmatch(r"test loss [\d.]+, accuracy ([\d.]+)", done.stdout.splitlines()[-1])[1])


@each_script
def test_learns_from_idx_files(script, tmp_path):
    architecture, shape = NETWORKS["ann-100"]
    save(architecture, shape, class_names=mnist.SPECIFICATION.class_names, learning_rate=0.05, train_limit=2000)

    accuracy = run(script, tmp_path, "--data", str(MNIST), "--epochs", "3")

    assert accuracy > 0.75
    assert [path.stem for path in tmp_path.glob("best.*")] == ["best"]


@each_script
def test_does_all_that_a_run_can_do(script, tmp_path):
    residual = Residual(layers=(Convolution(filters=4), BatchNorm(), Activation()))
    save(
        network(Convolution(filters=4, kernel=4, stride=2), residual, Dropout(rate=0.1)),
        (11, 9, 3),
        **{"optimizer": "rmsprop", "learning_rate": 0.001, "initialisation": "framework", "defaults": "aligned"},
        **{"validation_part": "last", "normalization": "symmetric", "precision": "float64", "epochs": 1},
        **{"rotation": 10, "zoom": 0.1, "shift_x": 0.1, "flip_horizontal": True, "initial_weights": "0123456789ab"},
    )
    images, labels = draw_data((11, 9, 3), len(NAMES), 90)
    np.savez(tmp_path / "d.npz", x_train=images[:70], y_train=labels[:70], x_test=images[70:], y_test=labels[70:])

    accuracy = run(script, tmp_path, "--data", "d.npz")

    assert accuracy * 20 == pytest.approx(round(accuracy * 20), abs=1e-2)


EVERYTHING = {
    **{"optimizer": "adamw", "learning_rate": 0.01, "schedule": "one_cycle", "warmup_epochs": 2, "epochs": 8},
    **{"beta_1": 0.85, "beta_2": 0.99, "epsilon": 1e-6, "weight_decay": 0.01, "clip_norm": 5.0},
    **{"label_smoothing": 0.1, "class_weights": "balanced", "ema_decay": 0.9, "initialisation": "he"},
    **{"validation_every": 3, "patience": 7, "monitor": "val_accuracy", "normalization": "standard"},
    **{"precision": "bfloat16", "rotation": 5, "zoom": 0.05, "shift_x": 0.05, "shift_y": 0.05, "erasing": 0.1},
}


@pytest.mark.slow
@each_script
@pytest.mark.parametrize(
    "changes",
    [{}, {"optimizer": "sgd", "nesterov": True, "validation_every": 1, "monitor": "val_loss", "defaults": "aligned"}],
    ids=["validated now and then", "aligned"],
)
def test_learns_with_everything_on(script, changes, tmp_path):
    tried = network(Flatten(), Dense(units=32), BatchNorm(), Activation(), Dropout(rate=0.1))
    settings = {**EVERYTHING, **changes, "train_limit": 500}
    save(tried, (28, 28, 1), class_names=mnist.SPECIFICATION.class_names, **settings)

    assert run(script, tmp_path, "--data", str(MNIST)) > 0.5


@pytest.mark.slow
@each_script
def test_a_last_batch_of_one_image_is_survived(script, tmp_path):
    save(NETWORKS["batch norm after dense"][0], (7, 7, 1), batch_size=32, epochs=1, validation_part="test")
    images, labels = draw_data((7, 7, 1), len(NAMES), 120)
    np.savez(tmp_path / "d.npz", x_train=images[:97], y_train=labels[:97], x_test=images[97:], y_test=labels[97:])

    assert 0 <= run(script, tmp_path, "--data", "d.npz") <= 1


NOT_CONCERNED = {
    "dataset": "the images are exported beside the scripts",
    "framework": "there is a script for each, whichever it was",
    "device": "each takes the graphics processor where there is one",
    "threads": "it changes the speed only",
    "fine_tuning": "a script begins with drawn weights, which it says of a pretrained network, and trains all layers",
}

PARTS = {
    "architecture": ({"architecture": "ann-100"}, "Linear(784, 100)", "Dense(100"),
    "epochs": ({"epochs": 7}, "EPOCHS = 7", "EPOCHS = 7"),
    "batch_size": ({"batch_size": 19}, "BATCH_SIZE = 19", "BATCH_SIZE = 19"),
    "learning_rate": ({"learning_rate": 0.037}, "LEARNING_RATE = 0.037", "LEARNING_RATE = 0.037"),
    "optimizer": ({"optimizer": "adadelta"}, "torch.optim.Adadelta(", "keras.optimizers.Adadelta("),
    "momentum": ({"momentum": 0.7}, "momentum=0.7", "momentum=0.7"),
    "nesterov": ({"nesterov": True}, "nesterov=True", "nesterov=True"),
    "beta_1": ({"optimizer": "adam", "beta_1": 0.8}, "betas=(0.8, 0.999)", "beta_1=0.8"),
    "beta_2": ({"optimizer": "adamw", "beta_2": 0.9}, "betas=(0.9, 0.9)", "beta_2=0.9"),
    "rho": ({"optimizer": "rmsprop", "rho": 0.8}, "alpha=0.8", "rho=0.8"),
    "epsilon": ({"optimizer": "adadelta", "epsilon": 1e-4}, "eps=0.0001", "epsilon=0.0001"),
    "weight_decay": ({"weight_decay": 0.003}, "weight_decay=0.003", "weight_decay=0.003"),
    "clip_norm": ({"clip_norm": 2}, "clip_grad_norm_(model.parameters(), 2.0)", "global_clipnorm=2.0"),
    "schedule": ({"schedule": "cosine"}, "CosineAnnealingLR(", "CosineDecay("),
    "decay_factor": ({"schedule": "step", "decay_factor": 0.3}, "gamma=0.3", " 0.3,"),
    "decay_epochs": ({"schedule": "step", "decay_epochs": 2}, "2 * len(batches)", "2 * steps_per_epoch"),
    "warmup_epochs": ({"warmup_epochs": 1.5}, "LinearLR(", "1.5 * steps_per_epoch"),
    "label_smoothing": ({"label_smoothing": 0.1}, "label_smoothing=0.1", "label_smoothing=0.1"),
    "class_weights": ({"class_weights": "balanced"}, "CrossEntropyLoss(class_weights)", "class_weight="),
    "ema_decay": ({"ema_decay": 0.95}, "AveragedModel(", "WeightAverage()"),
    "validation_share": ({"validation_share": 0.25}, "VALIDATION_SHARE = 0.25", "VALIDATION_SHARE = 0.25"),
    "validation_part": ({"validation_part": "last"}, "[-count:]", "[-count:]"),
    "validation_every": ({"validation_every": 4}, "if epoch % 4", "validation_freq=[*range(4,"),
    "monitor": ({"monitor": "val_accuracy"}, "if accuracy > best_accuracy", 'monitor="val_accuracy"'),
    "patience": ({"patience": 6}, "epoch - best_epoch >= 6", "patience=6"),
    "checkpoint_policy": ({"checkpoint_policy": "last"}, "last.pt", "last.keras"),
    "normalization": ({"normalization": "standard"}, "[0.01]", "offset=[-0.7]"),
    "initialisation": ({"initialisation": "he"}, "kaiming_normal_(", 'kernel_initializer="he_normal"'),
    "initial_weights": ({"initial_weights": "0123456789ab"}, "this script starts anew", "this script starts anew"),
    "defaults": ({"optimizer": "rmsprop", "defaults": "aligned"}, "alpha=0.9", "epsilon=1e-08"),
    "precision": ({"precision": "bfloat16"}, "torch.autocast(device, torch.bfloat16)", '"mixed_bfloat16"'),
    "rotation": ({"rotation": 9}, "draw(-9.0, 9.0)", "RandomRotation(0.025"),
    "zoom": ({"zoom": 0.3}, "draw(1 - 0.3, 1 + 0.3)", "RandomZoom(0.3"),
    "shift_x": ({"shift_x": 0.3}, "draw(-2 * 0.3, 2 * 0.3)", "RandomTranslation(0.0, 0.3"),
    "shift_y": ({"shift_y": 0.3}, "draw(-2 * 0.3, 2 * 0.3)", "RandomTranslation(0.3, 0.0"),
    "flip_horizontal": ({"flip_horizontal": True}, "def augment(", 'RandomFlip("horizontal")'),
    "flip_vertical": ({"flip_vertical": True}, "def augment(", 'RandomFlip("vertical")'),
    "erasing": ({"erasing": 0.35}, "< 0.35", "RandomErasing((0.35, 0.35)"),
    "seed": ({"seed": 123}, "SEED = 123", "SEED = 123"),
    "train_limit": ({"train_limit": 777}, "TRAIN_LIMIT = 777", "TRAIN_LIMIT = 777"),
}
"""For every field of a config: settings that have it do something, and what then is in each script, and else is not."""


def source_of(script: str, *, architecture: str = "cnn-quick", **settings: object) -> str:
    save(*NETWORKS[architecture], **settings)
    return build(RUN, script).decode()


def test_every_setting_is_thought_of():
    assert not PARTS.keys() & NOT_CONCERNED
    assert PARTS.keys() | NOT_CONCERNED.keys() == RunConfig.model_fields.keys()


@each_script
@pytest.mark.parametrize("name", PARTS)
def test_every_setting_is_in_the_script(script, name):
    settings, *parts = PARTS[name]
    part = dict(zip(SCRIPTS, parts, strict=True))[script]
    without = {key: value for key, value in settings.items() if key != name}

    source = source_of(script, **settings)

    assert part in source
    assert part not in source_of(script, **without), "it is there without the setting, too"
    assert_tidy(source)


@each_script
def test_grouped_validation_images_are_exactly_those_of_the_run(script, tmp_path):
    images = noise(40, (28, 28, 1)).repeat(5, axis=0)
    labels = np.arange(200) // 5 % 4
    dataset = make_dataset(images, labels, images[::10], labels[::10], class_names="abcd")
    split = split_train(dataset, share=0.2, seed=7, part="grouped", limit=None)
    path = tmp_path / "train.py"
    path.write_text(source_of(script, validation_part="grouped", validation_share=0.2, seed=7))

    names = vars(load_module(path))
    names |= {"options": SimpleNamespace(train_limit=None), "images": images, "labels": labels}
    names["test_images"] = images[::10]
    exec(textwrap.dedent(_HOLD_BACK["grouped"]), names)

    np.testing.assert_array_equal(names["images"], images[split.train])
    np.testing.assert_array_equal(names["labels"], labels[split.train])
    np.testing.assert_array_equal(names["validation"][0], images[split.validation])
    assert_tidy(path.read_text())


@each_script
@pytest.mark.parametrize("name", NOT_CONCERNED)
def test_other_settings_are_not(script, name):
    other = {"dataset": "kmnist", "framework": "keras", "device": "gpu:0", "threads": 1, "fine_tuning": "last"}

    settings = {"defaults": "aligned"}  # or the script says whose defaults it has
    assert source_of(script, **settings, **{name: other[name]}) == source_of(script, **settings)


@each_script
@pytest.mark.parametrize("optimizer", LEARNING_RATES)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_is_tidy_and_has_no_more_than_it_needs(script, optimizer, schedule):
    for settings in ({}, EVERYTHING, {"checkpoint_policy": "last", "patience": 3, "label_smoothing": 0.1}):
        assert_tidy(source_of(script, **{**settings, "optimizer": optimizer, "schedule": schedule}))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("defaults", choices_of("defaults"))
@pytest.mark.parametrize("changed", [False, True], ids=["as it is", "changed"])
def test_optimizer_is_made_as_the_engines_make_it(optimizer, defaults, changed):
    torch, keras = get_engine("pytorch").torch, get_engine("keras").keras
    own = {"momentum": 0.7, "nesterov": True, "beta_1": 0.8, "beta_2": 0.9, "rho": 0.8, "epsilon": 1e-3}
    config = configure(optimizer=optimizer, defaults=defaults, **({**own, "weight_decay": 0.02} if changed else {}))
    entry, parameters = OPTIMIZERS[optimizer], [torch.zeros(2, requires_grad=True)]

    name, arguments = entry.pytorch_source(config)
    found = eval(f"{name}(parameters, {', '.join(arguments)})", {"torch": torch, "parameters": parameters})
    built = entry.build_pytorch(config, parameters, torch)
    speed = {"lr", "fused", "foreach", "capturable"}
    assert type(found) is type(built)
    assert {key: value for key, value in found.defaults.items() if key not in speed} == {
        key: value for key, value in built.defaults.items() if key not in speed
    }

    name, arguments = entry.keras_source(config)
    found = eval(f"{name}(LEARNING_RATE, {', '.join(arguments)})", {"keras": keras, "LEARNING_RATE": 0.01})
    built = entry.build_keras(config, keras)
    for key, value in built.get_config().items():
        if key == "weight_decay":  # aligned, the engine adds it to the gradients, as the script says
            assert (found.get_config()[key] or None) == (config.weight_decay or None)
        elif key != "name":
            assert found.get_config()[key] == value, key


def assert_tidy(source: str) -> None:
    compile(source, "train.py", "exec")
    assert "\n\n\n\n" not in source
    assert "$" not in source.replace("$name", "")
    for line in source.splitlines():
        assert line == line.rstrip()
        assert len(line) <= 120 or line.startswith("CLASS_NAMES")


@each_script
def test_is_short_where_nothing_is_asked_for(script):
    source = source_of(script)

    assert len(source.splitlines()) <= 140
    for word in ("augment", "erase", "average", "smooth", "schedule", "clip", "class_weights", "autocast", "patience"):
        assert word not in source


class _CompiledError(Exception):
    """Ends a Keras script where it would begin to train."""


def rates_of(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch, steps: int) -> list[float]:
    """Return the learning rates that a script takes its steps at, or would take them at."""
    path = folder / "train.py"
    path.write_bytes(build(RUN, script))
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [str(path), "--data", "d.npz"])
    rates, optimizers = [], []
    if script == "pytorch-script":
        sgd = get_engine("pytorch").torch.optim.SGD
        step = sgd.step

        def note(self, *arguments):
            rates.append(self.param_groups[0]["lr"])
            return step(self, *arguments)

        monkeypatch.setattr(sgd, "step", note)
        load_module(path).main()
        return rates

    def end(self, *_arguments, **_settings):
        optimizers.append(self.optimizer)
        raise _CompiledError

    monkeypatch.setattr(get_engine("keras").keras.Model, "fit", end)
    with pytest.raises(_CompiledError):
        load_module(path).main()
    for step in range(steps):
        optimizers[0].iterations.assign(step)
        rates.append(float(optimizers[0].learning_rate))
    return rates


@each_script
@pytest.mark.parametrize("warmup_epochs", [0, 2, 1.5])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_learning_rates_are_those_of_the_run(script, schedule, warmup_epochs, tmp_path, monkeypatch):
    shape = (3, 3, 1)
    settings = {"schedule": schedule, "warmup_epochs": warmup_epochs, "decay_epochs": 2, "decay_factor": 0.3}
    settings |= {"epochs": 5, "batch_size": 8, "learning_rate": 0.4, "normalization": "unit"}
    save(network(), shape, **settings)
    images, labels = draw_data(shape, len(NAMES), 40)  # 36 to learn from: 5 steps an epoch
    np.savez(tmp_path / "d.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)

    rates = rates_of(script, tmp_path, monkeypatch, steps=25)

    expected = learning_rates(configure(**settings), 5)
    if script == "pytorch-script" and warmup_epochs == 1.5 and schedule != "one_cycle":
        expected = learning_rates(configure(**settings | {"warmup_epochs": 8 / 5}), 5)  # in whole steps
    np.testing.assert_allclose(rates, expected, rtol=1e-4, atol=1e-7)


@each_script
def test_weights_that_are_kept_are_averaged_as_in_a_run(script, tmp_path, monkeypatch):
    save(network(), (3, 3, 1), ema_decay=0.5, checkpoint_policy="last", epochs=2, batch_size=8, learning_rate=0.4)
    images, labels = draw_data((3, 3, 1), len(NAMES), 40)
    np.savez(tmp_path / "d.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    path = tmp_path / "train.py"
    path.write_bytes(build(RUN, script))
    module = load_module(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path), "--data", "d.npz"])
    seen = []  # the weights at the beginning and after each step

    if script == "pytorch-script":
        torch = get_engine("pytorch").torch
        step = torch.optim.SGD.step

        def weights_of(optimizer):
            return [weight.detach().numpy().copy() for weight in optimizer.param_groups[0]["params"]]

        def note(self, *arguments):
            if not seen:
                seen.append(weights_of(self))
            step(self, *arguments)
            seen.append(weights_of(self))

        monkeypatch.setattr(torch.optim.SGD, "step", note)
        module.main()
        kept = [weight.numpy() for weight in torch.load("last.pt", weights_only=True).values()]
    else:
        for moment in ("on_train_begin", "on_train_batch_end"):
            original = getattr(module.WeightAverage, moment)

            def note(self, *arguments, original=original, **logs):
                seen.append(self.model.get_weights())
                original(self, *arguments, **logs)

            monkeypatch.setattr(module.WeightAverage, moment, note)
        module.main()
        kept = get_engine("keras").keras.models.load_model("last.keras").get_weights()

    assert len(seen) == 1 + 2 * 5
    for position, found in enumerate(kept):
        average = seen[0][position]
        for steps, weights in enumerate(seen[1:], start=1):
            share = averaging_decay(0.5, steps)
            average = share * average + (1 - share) * weights[position]
        np.testing.assert_allclose(found, average, rtol=0, atol=1e-5)
        assert np.abs(found - seen[-1][position]).max() > 1e-3, "it is no average"


@each_script
def test_erases_a_rectangle_of_its_share_of_the_images(script, tmp_path):
    save(network(), (9, 13, 1), erasing=0.5)
    path = tmp_path / "train.py"
    path.write_bytes(build(RUN, script))
    module = load_module(path)
    images = np.full((400, 9, 13, 1), 200, np.float32)

    if script == "pytorch-script":
        erased = module.erase(get_engine("pytorch").torch.tensor(images).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    else:
        erased = module.augment(images, training=True)

    black = np.asarray(erased)[..., 0] == 0
    assert set(np.unique(erased)) == {0, 200}
    chosen = black[black.any(axis=(1, 2))]
    assert 150 < len(chosen) < 250
    for rectangle in chosen:
        assert rectangle.sum() == rectangle.any(axis=0).sum() * rectangle.any(axis=1).sum(), "it has another shape"
    assert 0.05 < chosen.mean() < 0.35


def test_says_where_it_cannot_repeat_the_run():
    save(*NETWORKS["ann-100"], initial_weights="0123456789ab", precision="float64")

    for script in SCRIPTS:
        said = build(RUN, script).decode().split('"""')[1]
        assert "The run went on from the weights of run 0123456789ab; this script starts anew." in said
        assert "The run computed in float64; this script computes in float32." in said


@pytest.mark.parametrize(
    ("settings", "said", "scripts"),
    [
        (
            {},
            "The run was one of PyTorch; where the defaults of both differ, this script has Keras's.",
            {"keras-script"},
        ),
        ({"framework": "keras"}, "The run was one of Keras; where", {"pytorch-script"}),
        ({"defaults": "aligned"}, "The run's algorithms were aligned with PyTorch's; where", {"keras-script"}),
        ({"defaults": "aligned", "weight_decay": 0.1}, "added the weight decay to the gradients", {"keras-script"}),
        ({"defaults": "aligned", "weight_decay": 0.1, "optimizer": "adamw"}, "the weight decay to", set()),
        ({"initialisation": "he"}, "is cut off at two standard deviations", {"keras-script"}),
        ({"erasing": 0.1}, "what is erased each by itself", {"keras-script"}),
        ({"warmup_epochs": 1.5}, "whole numbers of steps", {"pytorch-script"}),
        ({"warmup_epochs": 2}, "whole numbers of steps", set()),
        ({"precision": "bfloat16"}, "computes in float32", set()),
    ],
)
def test_says_what_it_does_another_way(settings, said, scripts):
    assert {script for script in SCRIPTS if said in source_of(script, **settings)} == scripts


def test_data_come_as_the_scripts_read_them(tmp_path, monkeypatch):
    images, labels = draw_data((4, 5, 3), 3, 8)
    dataset = Dataset(mnist.SPECIFICATION, Split(images[:5], labels[:5]), Split(images[5:], labels[5:]), "")
    monkeypatch.setattr(data, "load", {"mnist": dataset}.get)
    save(*NETWORKS["ann-100"])
    (tmp_path / "images.npz").write_bytes(build(RUN, "data"))

    with np.load(tmp_path / "images.npz") as file:
        for name, values in (("x_train", images[:5]), ("y_train", labels[:5]), ("x_test", images[5:])):
            np.testing.assert_array_equal(file[name], values, strict=True)
        np.testing.assert_array_equal(file["y_test"], labels[5:], strict=True)


@each_script
def test_validation_images_that_came_with_the_data_are_those_of_the_script(script, tmp_path, monkeypatch):
    images, labels = draw_data((7, 7, 1), len(NAMES), 90)
    dataset = make_dataset(images[:70], labels[:70], images[70:], labels[70:], NAMES, validation_images=20)
    split = split_train(dataset, share=0.1, seed=42, part="given", limit=None)
    monkeypatch.setattr(data, "load", {"mnist": dataset}.get)
    save(NETWORKS["batch norm after dense"][0], (7, 7, 1), class_names=NAMES, epochs=1, validation_part="given")
    (tmp_path / "images.npz").write_bytes(build(RUN, "data"))

    path = tmp_path / "module.py"
    path.write_bytes(build(RUN, script))
    names = vars(load_module(path))
    options = SimpleNamespace(train_limit=None, data=tmp_path / "images.npz")
    names |= {"options": options, "images": names["read_data"](options.data)[0], "labels": labels[:50]}
    exec(textwrap.dedent(_HOLD_BACK["given"]), names)

    np.testing.assert_array_equal(names["validation"][0], images[split.validation])
    np.testing.assert_array_equal(names["validation"][1], labels[split.validation])
    learnt = {image.tobytes() for image in names["images"]}
    assert learnt == {image.tobytes() for image in images[split.train]}
    assert 0 <= run(script, tmp_path, "--data", "images.npz") <= 1
    assert_tidy(path.read_text())
