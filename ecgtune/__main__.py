"""`python -m ecgtune` is the `ecgtune` command."""

import sys

try:
    from ecgtune.cli import main
except ModuleNotFoundError as error:
    # Most likely a job on a cluster, whose interpreter is not the one that ecgtune was installed for.
    sys.stderr.write(
        f"error: {sys.executable} has no module {error.name!r}, which ecgtune needs. Use the interpreter of the "
        "environment that has ecgtune and what it depends on: activate it before `ray start`, or name it with "
        "`ecgtune submit --python`.\n"
    )
    sys.exit(2)

if __name__ == "__main__":
    main()
