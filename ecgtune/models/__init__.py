"""The encoder, the heads on it, and how they are built."""

from ecgtune.models.build import build_emotion_head, build_encoder, build_pretext_heads
from ecgtune.models.encoder import Encoder
from ecgtune.models.heads import EmotionHead, PretextHeads, squared_weights
from ecgtune.models.pooling import pool, select, summaries

__all__ = [
    "EmotionHead",
    "Encoder",
    "PretextHeads",
    "build_emotion_head",
    "build_encoder",
    "build_pretext_heads",
    "pool",
    "select",
    "squared_weights",
    "summaries",
]
