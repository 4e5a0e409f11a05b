"""A world whose truth is known: readers, news, a logging policy and position-biased clicks.

``world.draw`` makes readers and news, ``log.simulate`` lets them meet hour by hour, ``tables``
turns both into the canonical tables and ``truth`` keeps what no log would say. Writes no dataset
itself: ``pipelines.simulate`` joins it to ``recsys.data``.
"""
