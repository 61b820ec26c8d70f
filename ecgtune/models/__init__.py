"""The convolutional encoder and the heads on it."""
