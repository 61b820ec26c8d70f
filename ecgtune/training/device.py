"""Where a model is trained."""

import torch

from ecgtune.errors import InputError


def resolve_device(name: str) -> str:
    """`auto` becomes `cuda` where there is a usable GPU, else `cpu`; other names are checked.

    Raises:
        InputError: the name is unknown, or there is no such device.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"unknown device {name!r}; choose auto, cpu or cuda.") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device {name!r} is not supported; choose auto, cpu or cuda.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device {name!r}: this machine has {torch.cuda.device_count()} usable GPUs; choose cpu.")
    return name
