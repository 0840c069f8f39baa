"""Write a run's network in a form that needs no Duet.

    python -m core export 3f9c0a1b2c3d --format onnx
    python -m core export 3f9c0a1b2c3d --format keras --output digits.keras

Prints the path of the file.
"""

from pathlib import Path

from core.cli.parsing import command_parser, exit_with_error, show
from core.export import FORMATS, build, file_name
from core.system.files import write_bytes


def main(arguments: list[str] | None = None) -> int:
    """Check the options, write the file, and say where it is."""
    parser = command_parser("export", __doc__)
    parser.add_argument("run_id", metavar="RUN_ID", help="the run; python -m core runs lists them")
    formats = "; ".join(f"{name}: {entry.description}" for name, entry in FORMATS.items())
    parser.add_argument("--format", metavar="NAME", required=True, help=formats.replace("%", "%%"))
    parser.add_argument("--output", metavar="PATH", type=Path, help="the file, by default duet-RUN_ID… in this folder")
    options = parser.parse_args(arguments)
    try:
        path = options.output or Path(file_name(options.run_id, options.format))
        write_bytes(path, build(options.run_id, options.format))
    except ValueError as error:
        exit_with_error(str(error))
    except OSError as error:
        exit_with_error(f"Output (--output): {path} cannot be written: {error.strerror or type(error).__name__}.")
    show(str(path))
    return 0
