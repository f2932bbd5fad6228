"""Run some statements and print what that cost: CPU seconds, and MiB that are resident more than before.

    python workload.py "import poststack"

Imports nothing by itself that a library might need, so that all of a library's own imports count.
"""

import sys
import time


def resident() -> float:
    """Return the MiB that are resident; 0 where the system does not tell."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024
    except FileNotFoundError:
        return 0.0


if __name__ == "__main__":
    before = resident()
    begun = time.process_time()
    exec(sys.argv[1])
    spent = time.process_time() - begun
    print(spent, resident() - before)
