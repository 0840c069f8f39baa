"""Networks by name: the built-in ones, and users' own, kept, deleted and brought back."""

import json
import re
import threading

import numpy as np
import onnxruntime
import pytest

from core.cli import parity, train
from core.cli.networks import main
from core.config import configure
from core.datasets import load
from core.export import build
from core.inference.service import Predictor
from core.jobs.worker import execute
from core.networks.layers import Architecture, Dense, Flatten, Residual
from core.networks.pretrained import PRETRAINED
from core.networks.registry import (
    custom_names,
    delete,
    free_name,
    get_architecture,
    get_including_deleted,
    names,
    restore,
    save,
)
from core.networks.zoo import ARCHITECTURES
from core.runs import open_store
from core.system.paths import run_directory
from tests.sample_networks import NETWORKS


def own(name: str = "my-net", units: int = 5) -> Architecture:
    return Architecture(
        name=name,
        description="Made from ann-100.",
        layers=(Flatten(), Dense(units=units), Residual(layers=(Dense(units=units),)), Dense(units="classes")),
    )


def nobody(_name: str) -> list[str]:
    return []


def test_built_in_networks_come_first():
    save(own("a-net"))
    save(own("my-net"))

    assert names() == [*ARCHITECTURES, *PRETRAINED, "a-net", "my-net"]
    assert custom_names() == ["a-net", "my-net"]


@pytest.mark.parametrize("name", NETWORKS)
def test_network_is_kept_as_it_was(name):
    kept = NETWORKS[name][0].model_copy(update={"name": "kept"})
    save(kept)

    assert get_architecture("kept") == kept


def test_unknown_network_is_refused_with_those_there_are():
    save(own())
    there = ", ".join([*ARCHITECTURES, *PRETRAINED, "my-net"])
    sentence = rf"^Network \(--architecture\): expected one of {there}, received 'vgg'\.$"
    with pytest.raises(ValueError, match=sentence):
        get_architecture("vgg")


@pytest.mark.parametrize("name", ["", "My-net", "my net", "-net", "../../etc/x", "my_net", "größe", "n" * 41, "net\n"])
def test_name_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match=r"^Name: expected 1 to 40 small letters") as refusal:
        save(own(name))
    assert repr(name[:60]) in str(refusal.value)
    assert custom_names() == []
    with pytest.raises(ValueError, match="received"):
        get_architecture(name)


def test_name_stands_for_the_same_layers_for_good():
    save(own(units=5))
    save(own(units=5))  # a second click

    with pytest.raises(ValueError, match=r"^Name: my-net is the name of another network, with other layers"):
        save(own(units=6))
    delete("my-net", nobody)
    with pytest.raises(ValueError, match=r"^Name: my-net is the name of a network that was deleted, with other layers"):
        save(own(units=6))
    assert custom_names() == []
    save(own(units=5))
    assert get_architecture("my-net") == own(units=5)


def test_name_of_a_built_in_network_is_taken():
    with pytest.raises(ValueError, match=r"^Name: ann-100 is a network that comes with Duet"):
        save(own("ann-100"))


def test_deleted_network_is_gone_until_it_is_restored():
    save(own())
    delete("my-net", nobody)

    assert "my-net" not in names()
    with pytest.raises(ValueError, match="expected one of"):
        get_architecture("my-net")
    restore("my-net")
    assert get_architecture("my-net") == own()


def test_a_run_finds_its_network_though_it_was_deleted():
    save(own())
    assert get_including_deleted("my-net") == own()
    delete("my-net", nobody)
    assert get_including_deleted("my-net") == own()
    assert get_including_deleted("ann-100") == ARCHITECTURES["ann-100"]
    for name in ("vgg", "../networks/my-net"):
        with pytest.raises(ValueError, match="expected one of"):
            get_including_deleted(name)


def test_a_run_outlives_its_network():
    save(own())
    config = configure(architecture="my-net", train_limit=100, epochs=1, threads=1)
    run_id = open_store().create(config, submission="outlives", claimed=True)
    delete("my-net", nobody)

    execute(open_store(), run_id, 1, stop=threading.Event())

    assert open_store().get(run_id).state == "done"
    assert open_store().get(run_id).config.architecture == "my-net"
    images = load("mnist").test.images[:3]
    found = onnxruntime.InferenceSession(build(run_id, "onnx")).run(None, {"images": images})[0]
    expected = Predictor(run_directory(run_id), "pytorch").predict(images)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("command", [train, parity], ids=["train", "parity"])
def test_network_for_other_images_is_refused_before_a_run_is_made(duet_home, capsys, command):
    save(own().model_copy(update={"layers": (Flatten(), Dense(units=24))}))
    with pytest.raises(SystemExit):
        command.main(["--architecture", "my-net"])
    assert capsys.readouterr().err.startswith("my-net, layer dense_1: The last layer gives one number a class, (10,)")
    assert not (duet_home / "duet.sqlite3").exists()


def test_network_in_use_is_not_deleted():
    save(own())
    runs = [f"{i:012x}" for i in range(7)]
    with pytest.raises(ValueError, match=re.escape(f"stop {', '.join(runs[:5])} and 2 more, or wait")):
        delete("my-net", lambda name: runs if name == "my-net" else [])
    assert custom_names() == ["my-net"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda: delete("ann-100", nobody), "^ann-100 comes with Duet and cannot be deleted"),
        (lambda: delete("vgg", nobody), "^Expected the name of a network, received 'vgg'"),
        (lambda: restore("vgg"), "^Expected the name of a network that was deleted, received 'vgg'"),
        (lambda: restore("../networks/my-net"), "^Expected the name of a network that was deleted"),
    ],
    ids=["built in", "unknown", "never deleted", "a path"],
)
def test_what_cannot_be_deleted_or_restored_is_refused(change, sentence):
    save(own())
    with pytest.raises(ValueError, match=sentence):
        change()
    assert custom_names() == ["my-net"]


def test_damaged_file_is_named_and_can_be_deleted(duet_home):
    save(own())
    path = duet_home / "networks" / "my-net.json"
    path.write_text(path.read_text()[:50])

    with pytest.raises(ValueError, match=re.escape(f"Network my-net: its file {path} is damaged")):
        get_architecture("my-net")
    delete("my-net", nobody)
    assert custom_names() == []


def test_free_name_is_free():
    assert free_name("ann-100") == "my-ann-100"
    save(own("my-ann-100"))
    assert free_name("ann-100") == free_name("my-ann-100") == "my-ann-100-2"
    save(own("my-ann-100-2"))
    delete("my-ann-100-2", nobody)
    assert free_name("ann-100") == "my-ann-100-3"
    save(own(free_name("n" * 40)))


def test_command_lists_them(capsys):
    save(own())
    main(["--json"])
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == names()
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("cnn-64-32-32: ")
    assert lines[0].endswith(" 80,662 parameters.")
    assert lines[-1] == "my-net: Made from ann-100. 4,015 parameters."
