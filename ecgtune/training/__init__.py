"""Training without Ray: generators that yield one result per epoch."""
