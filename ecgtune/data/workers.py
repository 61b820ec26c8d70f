"""Preparing several persons at once, in processes of their own."""

import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from multiprocessing import resource_tracker
from os import cpu_count
from queue import SimpleQueue

from ecgtune.data.person import WindowedRecording, prepare_person
from ecgtune.data.preprocessing import Preparation
from ecgtune.data.reader import Reader
from ecgtune.data.recording import Recording
from ecgtune.data.worker_process import DeadProcessError, WorkerProcess
from ecgtune.errors import EcgtuneError

# An hour of one lead takes about half a second, and a process several seconds to start.
_HOURS_WORTH_WORKERS = 15.0
_MOST_WORKERS = 8


def prepare_people(
    reader: Reader, preparation: Preparation, workers: int | None = None
) -> Generator[tuple[int, list[WindowedRecording], list[str]], None, None]:
    """Prepare every person, in the reader's order.

    Args:
        reader: of the raw files; at most `workers` + 2 persons are in memory at a time.
        preparation: the parameters.
        workers: processes; None for one per CPU where the data are worth it, 1 for none but this one.

    Yields:
        per person: the number of recordings read, those that gave windows, and notes.

    Raises:
        DataError: a file cannot be read.
        EcgtuneError: a process was killed.
    """
    unread = (recordings for _, recordings in reader.subjects())
    first = next(unread, None)
    if first is None:
        return
    people = chain([first], unread)
    n_subjects = reader.n_subjects or 1
    if workers is None:
        hours = n_subjects * sum(item.seconds * len(item.leads) for item in first) / 3600
        workers = min(cpu_count() or 1, _MOST_WORKERS) if hours > _HOURS_WORTH_WORKERS else 1
    if min(workers, n_subjects) == 1:
        yield from ((len(recordings), *prepare_person(recordings, preparation)) for recordings in people)
    else:
        yield from _in_processes(people, preparation, min(workers, n_subjects))


def _in_processes(
    people: Iterator[Sequence[Recording]], preparation: Preparation, workers: int
) -> Iterator[tuple[int, list[WindowedRecording], list[str]]]:
    waiting: deque[tuple[int, Future[tuple[list[WindowedRecording], list[str]]]]] = deque()
    # It is started with the first process, and then lets interrupts through to it and all others.
    resource_tracker.ensure_running()
    with _interrupts_held_back():
        processes = [WorkerProcess() for _ in range(workers)]
    idle: SimpleQueue[WorkerProcess] = SimpleQueue()
    for process in processes:
        idle.put(process)

    def prepared(recordings: Sequence[Recording]) -> tuple[list[WindowedRecording], list[str]]:
        process = idle.get()
        try:
            return process(prepare_person, recordings, preparation)
        finally:
            idle.put(process)

    threads = ThreadPoolExecutor(workers)
    try:
        for recordings in people:
            waiting.append((len(recordings), threads.submit(prepared, recordings)))
            if len(waiting) > workers:
                read, future = waiting.popleft()
                yield read, *future.result()
        for read, future in waiting:
            yield read, *future.result()
    except BaseException as error:  # also of an interrupt: nobody waits for what is still at work
        for process in processes:
            process.kill()
        if not isinstance(error, DeadProcessError):
            raise
        raise EcgtuneError(
            "a process that prepared a person was killed, most likely for want of memory. "
            "Close other programs, or prepare with --workers 1."
        ) from error
    finally:
        threads.shutdown(cancel_futures=True)
        for process in processes:
            process.close()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C is the parent's to answer: a process started in here never sees it, so it prints no traceback.

    A process inherits what the thread that starts it holds back. The system may hand the signal to another thread of
    the parent, which does not; so it is only noted until the end of the block, and answered there.
    """
    noted: list[int] = []
    # Only the main thread may say who answers a signal.
    answer = signal.getsignal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else None
    if answer is not None:
        signal.signal(signal.SIGINT, lambda number, _: noted.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if answer is not None:
            signal.signal(signal.SIGINT, answer)
        if noted:
            signal.raise_signal(signal.SIGINT)
