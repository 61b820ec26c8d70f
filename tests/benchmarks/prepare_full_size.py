"""How long does a full-size DREAMER take to prepare, and how much memory?

    python tests/benchmarks/prepare_full_size.py [--subjects 23] [--workers N] [--folder FOLDER]

Generates the file, EEG included, in a temporary folder, prepares it with `ecgtune data prepare dreamer` in a process
of its own, and watches the memory of that process and all of its descendants (PSS: shared pages count once). The
baseline is the time that it may take, a minute. Needs Linux.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import MIB, arguments, compared, provenance, save, show
from watching import MemoryWatch

from ecgtune.data.synthetic.dreamer import write_dreamer

# Seconds that a preparation of all 23 people may take.
LIMIT = 60.0


def measure(folder, subjects, workers, **more):
    """The figures of one preparation; everything is written below `folder`. `more` is for `write_dreamer`."""
    raw, out = folder / "DREAMER.mat", folder / "dreamer"
    write_dreamer(raw, subjects=subjects, **more)
    words = ["data", "prepare", "dreamer", str(raw), "--out", str(out)]
    words += ["--workers", str(workers)] if workers else []
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "ecgtune", *words]) as process, MemoryWatch(process.pid) as watch:
        code = process.wait()
    seconds = time.perf_counter() - start
    if code:
        sys.exit(f"the command failed with exit code {code}; nothing was measured")
    info = json.loads((out / "dataset.json").read_text())
    return {
        "measured": " ".join(["ecgtune", *words]).replace(str(folder), "FOLDER"),
        "people": subjects,
        "file_mib": round(raw.stat().st_size / MIB),
        "windows": info["n_windows"],
        "fingerprint": info["fingerprint"],
        "seconds": round(seconds, 1),
        "peak_memory_mib": round(watch.peak_bytes / MIB),
        "processes": len(watch.peak),
    }


def main():
    parser = arguments(__doc__)
    parser.add_argument("--subjects", type=int, default=23)
    parser.add_argument("--workers", type=int, help="default: the command's own")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    options = parser.parse_args()
    where = provenance()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        found = measure(Path(temporary), options.subjects, options.workers)
    where["data_fingerprint"] = found.pop("fingerprint")
    for name, value in found.items():
        print(f"{name:16} {value}")
    what = f"preparing a generated DREAMER of {options.subjects} people, against the limit"
    comparisons = [compared(what, found["seconds"], LIMIT, "s", less_is_better=True)]
    show(comparisons)
    save("prepare_full_size", {"comparisons": comparisons, **found}, where, options.out)


if __name__ == "__main__":
    main()
