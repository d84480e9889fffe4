"""Send the jobs of a grid to the workers of a Dask cluster (extra `cluster`); their results come back to be written."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from edgediff.errors import ConfigError, first_line
from experiments.grid.process import job_command, result_of

ANSWER_S = 5  # in which a scheduler has to answer


@contextmanager
def on_cluster(address: str, grid: str) -> Iterator[Callable[[str], Future]]:
    """Connect with the scheduler at an address, or start `local:N` workers; yield what submits a job, by its name.

    When the scheduler is gone, all futures are cancelled. Raises `ConfigError` if it does not answer.
    """
    with tempfile.TemporaryDirectory() as scratch, connect(address, scratch) as client:
        executor = client.get_executor(pure=False)
        yield lambda name: executor.submit(on_worker, grid, name)


def connect(address: str, scratch: str):
    """Return a client of a cluster; the files of local workers go to a folder."""
    try:
        import dask
        from distributed import Client
    except ModuleNotFoundError:
        raise ConfigError('cluster: dask is not installed: pip install -e ".[cluster]"') from None
    logging.disable(logging.CRITICAL)  # what matters is said in one line
    kind, _, workers = address.partition(":")
    if kind == "local" and not (workers.isdecimal() and int(workers)):
        raise ConfigError(f"cluster: {address} is not local:N, with N workers from 1")
    given = dict(address=address, timeout=ANSWER_S)
    if kind == "local":
        given = dict(n_workers=int(workers), threads_per_worker=1, dashboard_address=None)
        given |= dict(silence_logs=logging.CRITICAL)
        dask.config.set(temporary_directory=scratch)
    try:
        return Client(**given, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cluster: {address} does not answer ({first_line(error)})") from None


def on_worker(grid: str, name: str) -> str:
    """Run a job on the worker that calls this, while its scheduler wants the result; return what the job writes."""
    from distributed import get_worker
    from distributed.worker import thread_state

    worker, key = get_worker(), thread_state.key

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state == "executing"

    return result_of(job_command(grid, name, "-"), wanted)
