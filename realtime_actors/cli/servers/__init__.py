"""The servers that the commands `demo`, `serve` and `simulate` run."""
