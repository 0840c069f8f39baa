"""Where Duet keeps what it makes."""

import pytest

from core.system.paths import PROJECT, data_dir, run_directory, store_url


def test_home_is_what_duet_home_names_and_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("DUET_HOME", str(tmp_path / "deep" / "home"))

    assert data_dir() == tmp_path / "deep" / "home"
    assert data_dir().is_dir()


@pytest.mark.parametrize("value", [None, ""])
def test_home_is_the_folder_checkpoints_otherwise(monkeypatch, value):
    monkeypatch.delenv("DUET_HOME")
    if value is not None:
        monkeypatch.setenv("DUET_HOME", value)

    assert data_dir() == PROJECT / "checkpoints"


def test_run_has_a_folder_of_its_own(duet_home):
    assert run_directory("3f9c0a1b2c3d") == duet_home / "runs" / "3f9c0a1b2c3d"


@pytest.mark.parametrize(
    "run_id",
    ["", "..", "../../../etc", "3f9c0a1b2c3", "3f9c0a1b2c3d\n", "3F9C0A1B2C3D", "3f9c0a1b2c3d/x", "/etc/passwd"],
)
def test_what_is_no_run_id_makes_no_path(run_id):
    with pytest.raises(ValueError, match=r"^Run id: expected twelve digits or letters a–f"):
        run_directory(run_id)


def test_store_is_a_file_in_the_home_unless_named(duet_home, monkeypatch):
    assert store_url() == f"sqlite:///{duet_home / 'duet.sqlite3'}"

    monkeypatch.setenv("DUET_STORE", "postgresql://elsewhere/duet")
    assert store_url() == "postgresql://elsewhere/duet"
