"""Search-space files -> parameters. No Ray, no Optuna."""
