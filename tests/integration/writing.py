"""Applications that write to blue while something is tried."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from tests.integration.conftest import Lab


@contextmanager
def writing(lab: Lab, *each: str | Iterable[str]) -> Iterator[None]:
    """A session of the application for each: it runs one statement again and again, or one after another."""
    stop = threading.Event()

    def write(statements: Iterator[str]) -> None:
        with closing(lab.as_writer(lab.blue_server)) as connection:
            while not stop.is_set():
                connection.run(next(statements))

    threads = [
        threading.Thread(target=write, args=(itertools.repeat(what) if isinstance(what, str) else iter(what),))
        for what in each
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
