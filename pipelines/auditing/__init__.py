"""The audit of a run: evidence from disk, measurements, and the page that tells of them."""
