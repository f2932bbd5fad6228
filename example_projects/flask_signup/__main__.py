"""Run Northlight on this machine.

python -m example_projects.flask_signup [--port 8000]    # the site, under gunicorn
python -m example_projects.flask_signup worker           # the RQ worker, which sends its letters
"""

from __future__ import annotations

import argparse
import logging
import os
import sys

from redis import Redis
from rq import Worker

from example_projects.flask_signup.queue import NAME, redis_url


def main() -> None:
    """Run one of the programs until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m example_projects.flask_signup")
    parser.add_argument("program", nargs="?", choices=["site", "worker"], default="site")
    parser.add_argument("--port", type=int, default=8000, help="of the site")
    options = parser.parse_args()
    if options.program == "worker":
        work()
    else:
        serve(options.port)


def serve(port: int) -> None:
    """Become gunicorn. The application is made once; its workers are copies of that process."""
    command = [
        "gunicorn",
        f"--bind=127.0.0.1:{port}",
        "--workers=2",
        "--threads=4",
        "--preload",
        "--no-control-socket",
        "example_projects.flask_signup:create_app()",
    ]
    os.execv(sys.executable, [sys.executable, "-m", *command])


def work() -> None:
    """Run the jobs, each in a copy of this process, which has imported all of them: that takes milliseconds.

    It is what `rq worker --with-scheduler` does, with the intervals, in seconds, that say how soon others notice what
    a killed worker leaves behind: a job a minute later instead of seven, the jobs that wait for their next attempt in
    seconds instead of ten minutes.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    connection = Redis.from_url(redis_url())  # pyright: ignore[reportUnknownMemberType]  # its options are untyped
    worker = Worker([NAME], connection=connection, worker_ttl=20, maintenance_interval=5, job_monitoring_interval=5)
    worker.work(with_scheduler=True)


if __name__ == "__main__":
    main()
