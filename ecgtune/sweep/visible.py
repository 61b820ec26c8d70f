"""Whether every node of a cluster has what a trial needs: this package, the data, and the results folder."""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from ecgtune import __version__
from ecgtune.data.store import load_dataset
from ecgtune.errors import EcgtuneError, InputError
from ecgtune.files import storage_errors
from ecgtune.remote import Remote
from ecgtune.sweep.nodes import Node, nodes
from ecgtune.uri import is_uri, shown, uri_of

# Seconds in which a node has to answer: it may have to start a worker, and to wake a network drive.
_PATIENCE = 90.0


def require_visible(results: Path, folders: Sequence[Path], machines: Sequence[Node] | None = None) -> None:
    """Ask all nodes of the connected cluster, side by side.

    Args:
        results: the folder that holds all sweeps; workers write their trials there.
        folders: of data sets and models; a node has to see the same files there as this process.
        machines: whom to ask; None asks all.

    Raises:
        InputError: a node lacks something; every lack is named, node by node.
        StorageError: the results folder cannot be written here.
    """
    # What is at a URI a node can reach, or it cannot; models there lie in the results.
    reached = {uri: load_dataset(folder).fingerprint for folder in folders if (uri := uri_of(folder)) is not None}
    paths = (folder for folder in folders if uri_of(folder) is None and not _below_uri(folder))
    wanted = {str(folder.resolve()): contents(folder) for folder in paths}
    asked = nodes() if machines is None else machines
    uri = uri_of(results)
    mark = results.resolve() / f".seen-{uuid4().hex}"
    with storage_errors(results):
        results.mkdir(parents=True, exist_ok=True)
        mark.touch()
    place = str(mark) if uri is None else uri
    try:
        lacks = _everywhere(asked, _look, place, wanted, reached)
    finally:
        mark.unlink(missing_ok=True)
    if lacks:
        raise InputError(
            f"{len(lacks)} things are missing on the cluster's nodes:\n"
            + "\n".join(f"  - {lack}" for lack in sorted(lacks))
            + "\nAll nodes have to see the data and the results folder under the paths that they have here (NFS or the "
            "like), and to reach what lies at URIs. Data alone can be sent along with --ship-data."
        )


def slow_nodes(path: str, machines: Sequence[Node]) -> list[str]:
    """Whose CPUs would be slower than others at this way of computing convolutions, each as a sentence."""
    return sorted(_everywhere(machines, what_slows, path, "cpu"))


def what_slows(path: str, device: str) -> list[str]:
    """What makes this machine's `cpu` or `cuda` slower than others' at that way, each as the rest of a sentence.

    What can be compiled here for it, is.
    """
    from ecgtune.models import compiled, fused
    from ecgtune.models.convolution import BFLOAT16, TILED
    from ecgtune.training.path import has_bf16_units

    on_cpu = device == "cpu"
    if on_cpu and path in BFLOAT16 and not has_bf16_units():
        return ["has no units for bfloat16, so its trials will be far slower: --convolution fourier suits all nodes"]
    reason = next((fused.why_not(name, device) for name in fused.FUSED if name == path), "")
    if reason:
        return [f"cannot compile what {path} needs ({reason}), so its trials compute as with bf16"]
    reason = next((compiled.why_not(dtype) for name, dtype in TILED.items() if name == path and on_cpu), "")
    return [f"cannot compile layers ({reason}), so its trials will be slower"] if reason else []


def _everywhere(machines: Sequence[Node], question: Callable[..., list[str]], *given: object) -> list[str]:
    """What is answered by all nodes of the connected cluster, side by side, each with its node's name."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    answers: dict[Any, Node] = {}
    for node in machines:
        there = NodeAffinitySchedulingStrategy(node.node_id, soft=False)
        look: Any = ray.remote(question)
        looking = look.options(num_cpus=0, scheduling_strategy=there, max_retries=0)
        answers[looking.remote(*given)] = node
    done, late = ray.wait(list(answers), num_returns=len(answers), timeout=_PATIENCE)
    said = [f"{answers[each].name} did not answer within {_PATIENCE:g} s" for each in late]
    return said + [f"{answers[each].name} {each_said}" for each in done for each_said in _answer(each)]


class Newcomers:
    """Looks, in the background, at nodes that join a sweep.

    Args:
        results: the folder that holds all sweeps.
        folders: that a worker reads.
        tell: takes a sentence.
    """

    def __init__(self, results: Path, folders: Sequence[Path], tell: Callable[[str], None]) -> None:
        self._results, self._folders, self._tell = results, folders, tell

    def __call__(self, node: Node) -> None:
        """Look at a node, and tell if it lacks something: Ray will give it trials all the same."""
        threading.Thread(target=self._look, args=(node,), name="newcomer", daemon=True).start()

    def _look(self, node: Node) -> None:
        try:
            require_visible(self._results, self._folders, [node])
        except EcgtuneError as error:
            self._tell(f"{node.name} has joined, and its trials will fail until it is stopped or mended: {error}")
        except Exception:
            return  # The sweep, or the node, is gone meanwhile.


def contents(folder: Path) -> dict[str, str]:
    """Names, sizes and, of JSON files, checksums: what tells one state of a data set or model from another."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.suffix == ".json" else ""
            found[path.name] = f"{path.stat().st_size} bytes {digest}".strip()
    return found


def _look(mark: str, wanted: dict[str, dict[str, str]], reached: Mapping[str, str] | None = None) -> list[str]:
    """What the node that runs this lacks.

    Args:
        mark: a file in the results folder, or the URI of that folder.
        wanted: folders with their contents.
        reached: URIs of data sets with their fingerprints.
    """
    from ecgtune import __version__ as version

    lacks = [] if version == __version__ else [f"has ecgtune {version}, and here is {__version__}"]
    if is_uri(mark):
        lacks += _unreached(mark)
    elif not Path(mark).exists():
        lacks.append(f"does not see the results folder {Path(mark).parent}")
    else:
        try:
            beside = Path(f"{mark}-{uuid4().hex}")
            beside.touch()
            beside.unlink()
        except OSError as error:
            lacks.append(f"cannot write to the results folder {Path(mark).parent} ({error.strerror})")
    for uri, fingerprint in (reached or {}).items():
        try:
            found = json.loads(Remote(uri).read("dataset.json") or b"{}").get("fingerprint")
        except (EcgtuneError, ValueError) as error:
            lacks.append(f"cannot read the data: {error}")
        else:
            if found is None:
                lacks.append(f"finds no data at {shown(uri)}")
            elif found != fingerprint:
                lacks.append(f"finds other data than this machine at {shown(uri)}")
    for folder, expected in wanted.items():
        try:
            if contents(Path(folder)) != expected:
                lacks.append(f"sees other files than this machine in {folder}")
        except OSError as error:
            lacks.append(f"does not see {folder} ({error.strerror})")
    return lacks


def _unreached(results: str) -> list[str]:
    """Why results cannot be written at a URI from here, if they cannot."""
    name = f".seen-{uuid4().hex}"
    try:
        remote = Remote(results)
        remote.write(name, b"")
        remote.remove(name)
    except EcgtuneError as error:
        return [f"cannot write the results: {error}"]
    return []


def _below_uri(folder: Path) -> bool:
    """Whether a folder lies in a results folder that stands for a URI."""
    return any(uri_of(parent) is not None for parent in folder.resolve().parents)


def _answer(reference: Any) -> list[str]:
    """What a node said, or why it could not even look."""
    import ray

    try:
        return list(ray.get(reference))
    except ray.exceptions.RayError as error:
        said = str(error).strip().splitlines()[-1]
        if "No module named" in said or "ModuleNotFoundError" in str(error):
            return ["has no ecgtune: install it there, or send the sweep with `ecgtune submit`, which brings it along"]
        return [f"could not look ({said})"]
