"""Which trials wait at a rung, read from the study's journal while another process writes it."""

import json
from pathlib import Path

PAUSED_AT = "paused at"


def paused_at(journal: Path) -> dict[str, int]:
    """Trial -> the epoch at which it was paused last; trials that never were are missing, and so is a torn line.

    Args:
        journal: of one study, as Optuna writes it: a JSON object per line, trials counted from 0.
    """
    found: dict[str, int] = {}
    if not journal.is_file():
        return found
    for line in journal.read_text(encoding="utf-8", errors="replace").splitlines():
        if f'"{PAUSED_AT}"' in line:
            try:
                entry = json.loads(line)
                found[f"{entry['trial_id']:05d}"] = int(entry["user_attr"][PAUSED_AT])
            except (ValueError, KeyError, TypeError):
                continue
    return found
