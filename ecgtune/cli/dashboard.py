"""`ecgtune dashboard`: TensorBoard on the results, for this machine only."""

import time
from pathlib import Path
from typing import Annotated

import typer

from ecgtune.cli import options

HOST = "127.0.0.1"


def dashboard(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Sweeps; default: all.")] = None,
    results: options.Results = Path("results"),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes any free one.")] = 6006,
) -> None:
    """Open TensorBoard on one, several or all sweeps; Ctrl-C ends it.

    Its HParams page can show one sweep at a time, so name one to see that.

    ecgtune dashboard my-emotion
    """
    from ecgtune.cli.console import stdout

    address = launch(log_arguments(results, names or []), port)
    stdout().print(f"TensorBoard is at {address} and shows {', '.join(names or ['every sweep'])}; Ctrl-C ends it.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass


def log_arguments(results: Path, names: list[str]) -> list[str]:
    """TensorBoard's arguments for the sweeps of these names.

    Raises:
        InputError: there is no such sweep, or none at all.
    """
    from ecgtune.errors import InputError
    from ecgtune.sweep.folder import sweep_folder, sweeps

    known = [folder.name for folder in sweeps(results)]
    if not known:
        raise InputError(f"{results} has no sweep. Run `ecgtune sweep pretext` first, or name the folder: --results.")
    for name in names:
        sweep_folder(results, name)
        if name not in known:
            raise InputError(f"{results} has no sweep {name!r}; it has: {', '.join(known)}.")
    if len(names) == 1:
        return ["--logdir", str(results / names[0] / "tensorboard")]
    folders = ",".join(f"{name}:{results / name / 'tensorboard'}" for name in names or known)
    return ["--logdir_spec", folders]


def launch(log: list[str], port: int) -> str:
    """Start the server in the background and give its address.

    Raises:
        InputError: the port is taken.
    """
    import logging

    from tensorboard import program

    from ecgtune.errors import InputError

    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    board = program.TensorBoard()
    board.configure(argv=["tensorboard", *log, "--host", HOST, "--port", str(port), "--reload_interval", "5"])
    try:
        return str(board.launch())
    except program.TensorBoardServerException as error:
        raise InputError(f"TensorBoard cannot start: {error}. Choose another --port, or 0 for any free one.") from error
