"""The memory of a process and all of its descendants, from /proc; Linux only.

PSS (proportional set size) divides a page among the processes that have it, so that the sum over all processes is
what they occupy together. The resident sizes would count a shared page once for each.
"""

import threading
import time
from pathlib import Path

KIB = 1024
FIELDS = ("Rss", "Pss", "Pss_Anon", "Pss_File", "Pss_Shmem")


def family(root):
    """A process and all of its descendants."""
    above, members = _parents(), [root]
    for member in members:
        members += [process for process, parent in above.items() if parent == member]
    return members


def footprint(process):
    """Bytes of one process by `FIELDS`, and its `title`; None where it is gone or hidden."""
    folder = Path(f"/proc/{process}")
    try:
        title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        lines = (folder / "smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    sizes = {line.partition(":")[0]: int(line.split()[1]) * KIB for line in lines}
    return {"title": title, **{name: sizes.get(name, 0) for name in FIELDS}}


class MemoryWatch:
    """Sample the family of a process in a thread, as a context; `peak` is the sample with the largest sum of PSS.

    Args:
        root: the process.
        every: seconds between two samples.
        counts: whether a sample, a list of `footprint`s, may be the peak; None admits all.
    """

    def __init__(self, root, *, every=0.1, counts=None):
        self.peak = []
        self._root, self._every, self._counts = root, every, counts or (lambda sample: True)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def peak_bytes(self):
        """The largest sum of PSS that was seen."""
        return sum(process["Pss"] for process in self.peak)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _watch(self):
        while not self._stop.is_set():
            sample = [found for found in map(footprint, family(self._root)) if found is not None]
            if self._counts(sample) and sum(process["Pss"] for process in sample) > self.peak_bytes:
                self.peak = sample
            time.sleep(self._every)


def _parents():
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                # The name, in brackets, may hold spaces and brackets of its own.
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found[int(folder.name)] = int(fields[1])
    return found
