"""Learning to rank from biased clicks: click models, rankers, algorithms."""
