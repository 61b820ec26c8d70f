"""What TensorBoard shows of a sweep: a run per trial, and the run `sweep` for what concerns all of them.

Hyper-parameters are written when a trial starts, so that the HParams page is complete while the sweep runs.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import metadata, plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as api
from tensorboard.plugins.hparams.api_pb2 import Status
from torch.utils.tensorboard import SummaryWriter

from ecgtune.config import Scalar
from ecgtune.errors import StorageError
from ecgtune.files import storage_errors
from ecgtune.space import Categorical, Parameter
from ecgtune.sweep.block import EpochReport
from ecgtune.sweep.events import TrialState

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SweepBoard:
    """Writes the event files below `folder`.

    Args:
        folder: `results/NAME/tensorboard`.
        parameters: the parameters that vary; they become the columns of the HParams page.
        metrics: the names of the scalars that the HParams page shows, the objective first.
        tell: is told of a picture that could not be drawn, in the thread that uses the board.
    """

    def __init__(
        self,
        folder: Path,
        parameters: Sequence[Parameter],
        metrics: Sequence[str],
        tell: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._folder = folder
        self._varying = tuple(parameter.name for parameter in parameters)
        self._trials: dict[str, SummaryWriter] = {}
        # Workers wait while the driver draws, so a thread of its own does it, and the first trial's start comes first.
        self._artist = ThreadPoolExecutor(max_workers=1, thread_name_prefix="figures")
        self._waiting: list[tuple[str, Callable[[], Figure], int]] = []
        self._drawn: list[Future[str]] = []
        self._tell = tell
        self._begun = False
        with storage_errors(folder):
            self._sweep = SummaryWriter(str(folder / "sweep"))
            columns = [api.HParam(parameter.name, _domain(parameter)) for parameter in parameters]
            shown = [api.Metric(_tag(name), display_name=name) for name in metrics]
            _add(self._sweep, api.hparams_config_pb(columns, shown))
            self._sweep.flush()

    def start(self, trial_id: str, parameters: Mapping[str, Scalar]) -> None:
        """A trial starts: its parameters are on the HParams page from now on."""
        with storage_errors(self._folder):
            writer = self._trials[trial_id] = SummaryWriter(str(self._folder / trial_id), flush_secs=10)
            # TensorBoard averages over sessions of one id, so the id has to name the sweep too.
            drawn = {name: parameters[name] for name in self._varying if name in parameters}
            _add(writer, api.hparams_pb(drawn, trial_id=f"{self._folder.parent.name}/{trial_id}"))
            writer.flush()
        self._begun = True
        self._have_drawn()
        self._look_at_drawn()

    def epochs(self, trial_id: str, epochs: Sequence[EpochReport]) -> None:
        """The scalars of some epochs, each epoch as one event."""
        with storage_errors(self._folder):
            writer = self._trials[trial_id]
            for epoch in epochs:
                shown = {"schedule/lr": epoch.lr, **{_tag(name): value for name, value in epoch.metrics.items()}}
                values = [Summary.Value(tag=tag, simple_value=value) for tag, value in shown.items()]
                _add(writer, Summary(value=values), epoch.epoch)
        self._look_at_drawn()

    def end(self, trial_id: str, state: TrialState) -> None:
        """A trial ended."""
        with storage_errors(self._folder):
            writer = self._trials.pop(trial_id)
            status = Status.STATUS_FAILURE if state == "FAILED" else Status.STATUS_SUCCESS
            _add(writer, _end(status))
            writer.close()

    def figure(self, tag: str, make: "Callable[[], Figure]", step: int = 0) -> None:
        """Have a picture that concerns the whole sweep drawn, once a trial has started.

        Args:
            tag: under which it is shown.
            make: draws it; is called in another thread.
            step: the epoch that it shows.
        """
        self._waiting.append((tag, make, step))
        if self._begun:
            self._have_drawn()

    def close(self) -> None:
        """Close every file, once the pictures are drawn."""
        self._artist.shutdown(wait=True)
        with storage_errors(self._folder):
            for writer in [*self._trials.values(), self._sweep]:
                writer.close()
            self._trials.clear()
        self._look_at_drawn()

    def _have_drawn(self) -> None:
        """Hand over what waits to be drawn."""
        self._drawn += [self._artist.submit(self._draw, *each) for each in self._waiting]
        self._waiting.clear()

    def _draw(self, tag: str, make: "Callable[[], Figure]", step: int) -> str:
        """Draw; gives what went wrong, if anything: no sweep fails for want of a picture."""
        try:
            figure = make()  # which may fail on files of its own, such as fonts
            with storage_errors(self._folder):
                self._sweep.add_figure(tag, figure, step, close=False)
                self._sweep.flush()
        except StorageError:
            raise
        except Exception as error:
            return f"the picture '{tag}' could not be drawn ({type(error).__name__}: {error})."
        return ""

    def _look_at_drawn(self) -> None:
        """Tell what went wrong with pictures.

        Raises:
            StorageError: the disk refused one.
        """
        drawn = [each for each in self._drawn if each.done()]
        self._drawn = [each for each in self._drawn if each not in drawn]
        for each in drawn:
            if trouble := each.result():
                self._tell(trouble)


def _end(status: int) -> Summary:
    # `hparams.summary.session_end_pb` is the same, but imports TensorFlow.
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    content = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
    value = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=content, tensor=metadata.NULL_TENSOR)
    return Summary(value=[value])


def _add(writer: SummaryWriter, summary: Any, step: int | None = None) -> None:
    # TensorBoard's own messages: `SummaryWriter.add_hparams` would open a run of its own, and `add_scalar` costs more
    # than the event that it writes.
    writer._get_file_writer().add_summary(summary, step)  # type: ignore[no-untyped-call]


def _tag(metric: str) -> str:
    """`val_f1/noise` -> `f1/val_noise`, `val_loss` -> `loss/val`: training and validation share a section."""
    side, _, rest = metric.partition("_")
    if side not in ("train", "val"):
        return metric
    group, _, part = rest.partition("/")
    return f"{group}/{side}_{part}" if part else f"{group}/{side}"


def _domain(parameter: Parameter) -> api.Discrete | api.RealInterval | api.IntInterval | None:
    if isinstance(parameter, Categorical):
        kinds = {type(choice) for choice in parameter.choices}
        return api.Discrete(list(parameter.choices)) if len(kinds) == 1 else None
    if isinstance(parameter.low, int) and isinstance(parameter.high, int):
        return api.IntInterval(parameter.low, parameter.high)
    return api.RealInterval(float(parameter.low), float(parameter.high))
