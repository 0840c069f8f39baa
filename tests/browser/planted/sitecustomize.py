"""Let every page of the dashboard fail at its start. Python imports this where its folder is on the path."""

import sys


def _fail(event: str, arguments: tuple) -> None:
    if event == "exec" and "/pages/" in (file := getattr(arguments[0], "co_filename", "")):
        raise RuntimeError(f"planted-error in {file}")


sys.addaudithook(_fail)
