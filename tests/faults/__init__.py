"""Faults at every point of registering and serving, in any order.

`test_schedules` explores what may happen in which order: the real manager, with its sockets on a
real disk, in a world whose time and wire are moved step by step.  `tests.matrix.test_points` has
each fault of `points` happen at each of its points.  `test_rounds` shows what does happen: the
emulated kubelet, real sockets, real time.  ``make faults`` runs many of all three.
"""
