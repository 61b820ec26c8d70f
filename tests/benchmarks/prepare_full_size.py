"""How long does a full-size DREAMER take to prepare, and how much memory?

    python tests/benchmarks/prepare_full_size.py [--subjects 23] [--workers N] [--folder FOLDER]

Generates the file, EEG included, in a temporary folder, prepares it with `ecgtune data prepare dreamer` in a process
of its own, and reads from /proc, every 20 ms, the resident memory of that process and all of its descendants. Pages
that processes share count once for each, so the sum is an upper bound of what is occupied. Needs Linux.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ecgtune
from ecgtune.data.synthetic.dreamer import write_dreamer

MIB = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
REPOSITORY = Path(__file__).resolve().parents[2]


def parents():
    """The parent of every process."""
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


def family(root):
    """A process and all of its descendants."""
    above, members = parents(), [root]
    for member in members:
        members += [process for process, parent in above.items() if parent == member]
    return members


def resident(process):
    """Bytes of a process in memory; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0


def watched(command):
    """Run a command: seconds, the peak of the summed resident memory, and how many processes that was."""
    start = time.perf_counter()
    peak, at_peak = 0, 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            sizes = [resident(member) for member in family(process.pid)]
            if sum(sizes) > peak:
                peak, at_peak = sum(sizes), sum(size > 0 for size in sizes)
            time.sleep(0.02)
    if process.returncode:
        sys.exit(f"the command failed with exit code {process.returncode}; nothing was measured")
    return time.perf_counter() - start, peak, at_peak


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", REPOSITORY, *words], capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "ecgtune")
    return git("rev-parse", "HEAD") + (" and changes that are not committed" if changed else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=23)
    parser.add_argument("--workers", type=int, help="default: the command's own")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        raw, out = Path(temporary) / "DREAMER.mat", Path(temporary) / "dreamer"
        start = time.perf_counter()
        write_dreamer(raw, subjects=options.subjects)
        generated = time.perf_counter() - start
        words = ["data", "prepare", "dreamer", str(raw), "--out", str(out)]
        words += ["--workers", str(options.workers)] if options.workers else []
        seconds, peak, processes = watched([sys.executable, "-m", "ecgtune", *words])
        size = raw.stat().st_size
        written = sum(file.stat().st_size for file in out.iterdir())
        windows = json.loads((out / "dataset.json").read_text())["n_windows"]
    flags = Path("/proc/cpuinfo").read_text().split()
    rows = {
        "people": f"{options.subjects}, EEG included, seed 0",
        "file": f"{size / MIB:.0f} MiB, generated in {generated:.0f} s",
        "windows": f"{windows} in a folder of {written / MIB:.0f} MiB",
        "seconds": f"{seconds:.1f}",
        "peak memory": f"{peak / MIB:.0f} MiB resident, summed over {processes} processes",
        "machine": f"{len(os.sched_getaffinity(0))} cores, {'AMX' if 'amx_tile' in flags else 'no AMX'}",
        "load": f"{os.getloadavg()[0]:.1f} in the last minute",
        "versions": f"ecgtune {ecgtune.__version__}, Python {platform.python_version()}",
        "commit": commit(),
        "command": " ".join(["python", *sys.argv]),
        "measured": " ".join(["ecgtune", *words]).replace(temporary, "TMP"),
    }
    for name, value in rows.items():
        print(f"{name:12} {value}")


if __name__ == "__main__":
    main()
