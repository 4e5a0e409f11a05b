"""A world whose truth is known: readers, news, exposure and position-biased clicks."""
