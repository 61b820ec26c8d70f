"""Signal transformations: batched torch functions of `(x [batch, n_times], generator, parameters)`."""
