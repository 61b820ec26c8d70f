"""Pretext tasks: what the encoder learns without labels."""
