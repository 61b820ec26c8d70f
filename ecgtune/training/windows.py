"""The windows of a run, where its network can take them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgtune.data.pool import WindowPool

# Of a GPU's free memory, the share that windows may take for good.
_SHARE = 0.4


class Windows:
    """Gives windows on the device: from the memory map on a CPU, from a copy that stays there on a GPU with room.

    Args:
        pool: all windows.
        used: those that will be asked for, as indices into `pool`.
        device: `cpu` or `cuda`.
    """

    def __init__(self, pool: WindowPool, used: NDArray[np.integer], device: str) -> None:
        self._pool, self._device = pool, torch.device(device)
        self._resident: Tensor | None = None
        used = np.unique(used)
        if self._device.type == "cuda" and _bytes(pool, used) < _SHARE * torch.cuda.mem_get_info(self._device)[0]:
            self.keep(used)

    def keep(self, used: NDArray[np.integer]) -> None:
        """Copy these windows to the device, once."""
        self._resident = torch.from_numpy(self._pool.take(used)).to(self._device)
        self._place = np.full(int(used.max()) + 1, -1, dtype=np.int64)
        self._place[used] = np.arange(len(used))

    def take(self, index: NDArray[np.integer]) -> Tensor:
        """[len(index), n_times] float32 on the device."""
        if self._resident is None:
            return torch.from_numpy(self._pool.take(index)).to(self._device)
        return self._resident[torch.from_numpy(self._place[index]).to(self._device)]


def _bytes(pool: WindowPool, used: NDArray[np.integer]) -> int:
    return len(used) * pool.take(used[:1]).nbytes
