"""What a trial needs: a Ray worker that waits for one imports this module, and with it all of that."""

from ecgtune.imports import without_collection
from ecgtune.sweep.hold import wait_until_released

wait_until_released()
with without_collection():
    from ecgtune.sweep import emotion_job, pretext_job, trainable

__all__ = ["emotion_job", "pretext_job", "trainable"]
