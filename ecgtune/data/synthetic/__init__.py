"""Generated recordings in the formats of real data sets, with a planted effect of known size."""
