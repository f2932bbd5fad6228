"""`python -m poststack` is the command `poststack`."""

import sys

from poststack.cli import main

if __name__ == "__main__":
    sys.exit(main())
