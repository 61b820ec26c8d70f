"""`python -m ecgtune` is the `ecgtune` command."""

from ecgtune.cli import main

if __name__ == "__main__":
    main()
