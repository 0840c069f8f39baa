"""What the commands share."""

import pytest

from core.cli.parsing import Parser, exit_with_error, submitter
from core.system.text import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (12.3, "12 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h"),
        (3900, "1 h 5 min"),
        (7259, "2 h"),
        (90_000, "25 h"),
    ],
)
def test_duration_in_words(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize("error", [KeyError("getpwuid(): uid not found: 12345"), OSError("No username set")])
def test_a_user_without_a_name_is_the_command_line(monkeypatch, error):
    def refuse() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", refuse)
    assert submitter() == "command line"


def refusal(capsys, action) -> str:
    """Return the one sentence with which an action ends, with exit code 2."""
    with pytest.raises(SystemExit) as end:
        action()
    assert end.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    return shown.err.rstrip("\n")


def test_refusal_is_the_sentence_itself(capsys):
    assert refusal(capsys, lambda: exit_with_error("Epochs: expected more.")) == "Epochs: expected more."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--epochs"], "Argument --epochs: expected one argument. See python -m tried --help."),
        (["--epoch", "3"], "Unrecognized arguments: --epoch 3. See python -m tried --help."),
        (["--limit", "many"], "Argument --limit: invalid int value: 'many'. See python -m tried --help."),
        (["3"], "Unrecognized arguments: 3. See python -m tried --help."),
    ],
)
def test_wrong_options_are_refused_with_one_sentence_that_names_them(capsys, arguments, sentence):
    parser = Parser(prog="python -m tried", allow_abbrev=False)
    parser.add_argument("--epochs")
    parser.add_argument("--limit", type=int)

    assert refusal(capsys, lambda: parser.parse_args(arguments)) == sentence
