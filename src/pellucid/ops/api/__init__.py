"""The operations themselves: each checks its arguments, finds room for its results, and hands both to `dispatch.run`.

conv, linear, pool, nonlinear, normalization, random, loss, optimizer, data: one file a family, as in `reference`.
"""
