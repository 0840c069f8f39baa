"""Write a run's network in a form that needs no Duet.

    python -m core.export 3f9c0a1b2c3d --format onnx
    python -m core.export 3f9c0a1b2c3d --format keras --output digits.keras

Prints the path of the file.
"""

import sys
from pathlib import Path

from core.checkpoints import write_file
from core.command_line import Parser, refuse
from core.export import FORMATS, build, file_name


def main(arguments: list[str] | None = None) -> int:
    """Check the options, write the file, and say where it is."""
    parser = Parser(prog="python -m core.export", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("run_id", metavar="RUN_ID", help="the run; python -m core.runs lists them")
    formats = "; ".join(f"{name}: {entry.description}" for name, entry in FORMATS.items())
    parser.add_argument("--format", metavar="NAME", required=True, help=formats.replace("%", "%%"))
    parser.add_argument("--output", metavar="PATH", type=Path, help="the file, by default duet-RUN_ID… in this folder")
    options = parser.parse_args(arguments)
    try:
        path = options.output or Path(file_name(options.run_id, options.format))
        write_file(path, build(options.run_id, options.format))
    except ValueError as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"Output (--output): {path} cannot be written: {error.strerror or type(error).__name__}.")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
