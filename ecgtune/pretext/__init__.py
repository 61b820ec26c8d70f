"""Pretext tasks: what an encoder learns from windows without labels."""

from collections.abc import Callable

from ecgtune.config import PretextConfig
from ecgtune.pretext.task import PretextTask, StepOutput
from ecgtune.pretext.transformation_recognition import TransformationRecognition

PRETEXT_TASKS: dict[str, Callable[[PretextConfig], PretextTask]] = {
    "transformation_recognition": TransformationRecognition,
}

__all__ = ["PRETEXT_TASKS", "PretextTask", "StepOutput", "TransformationRecognition"]
