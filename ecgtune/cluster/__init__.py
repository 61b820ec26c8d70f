"""A sweep on a Ray cluster: sent there as a job, followed, stopped."""
