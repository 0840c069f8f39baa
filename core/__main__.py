"""Duet's commands: `python -m core COMMAND …`; `python -m core --help` lists them."""

import sys

from core.cli import main

if __name__ == "__main__":
    sys.exit(main())
