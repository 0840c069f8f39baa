"""The README's commands: the quick ones run as they are written, the long ones are understood by their parsers."""

import argparse
import re
import shlex

import pytest

from core.cli import COMMANDS, main
from core.system.paths import PROJECT

README = (PROJECT / "README.md").read_text()

_LINES = [line.strip().partition("  #")[0].strip() for line in re.findall(r"^    (\S.*)$", README, re.MULTILINE)]
LINES = [line for line in _LINES if line.split()[0] in ("make", "pip", "streamlit", "pytest", "python")]
CORE = [line for line in LINES if line.startswith("python -m core ")]

QUICK = ["python -m core --help", "python -m core networks", "python -m core recipes", "python -m core runs"]


class UnderstoodError(Exception):
    """The parser has taken all arguments."""


def arguments_of(line: str) -> list[str]:
    return shlex.split(line.replace("RUN_ID", "3f9c0a1b2c3d"))[3:]


@pytest.mark.parametrize("line", CORE)
def test_command_is_understood(line, monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def parse_only(parser: argparse.ArgumentParser, *arguments, **options) -> None:
        parse(parser, *arguments, **options)
        raise UnderstoodError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)

    with pytest.raises((UnderstoodError, SystemExit)) as caught:
        main(arguments_of(line))

    assert caught.type is UnderstoodError or (line.endswith("--help") and caught.value.code == 0)


@pytest.mark.parametrize("line", QUICK)
def test_quick_command_runs_as_written(line, capsys):
    assert line in CORE
    try:
        code = main(arguments_of(line))
    except SystemExit as end:
        code = end.code

    assert code == 0
    assert capsys.readouterr().out.strip()


def test_every_command_is_shown():
    assert {arguments_of(line)[0] for line in CORE} - {"--help"} == set(COMMANDS)


def test_other_commands_name_what_there_is():
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for line in LINES:
        match shlex.split(line):
            case ["make", target, *_]:
                assert target in targets
            case ["pip", "install", "-r", file] | ["streamlit", "run", file]:
                assert (PROJECT / file).is_file()
            case words:
                assert words == ["pytest"] or line in CORE


def test_files_that_are_linked_are_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (PROJECT / target).exists(), target


def test_the_tree_shows_every_room():
    tree = README[README.index("    dashboard.py ") : README.index("Arrows point one way")]
    shown = {name.strip("/").removesuffix(".py") for name in re.findall(r"^      (\S+)", tree, re.MULTILINE)}
    rooms = {path.stem for path in (PROJECT / "core").iterdir() if not path.name.startswith("__")}

    assert {name for name in rooms if (PROJECT / "core" / name).is_file() or "." not in name} == shown
