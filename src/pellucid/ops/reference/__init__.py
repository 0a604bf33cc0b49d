"""The NumPy truth: every operation in plain array arithmetic, any float dtype; slow, short, and checked against others.

Each function is the twin of a native kernel: same name, same arguments in the same order, the arrays for the results
given; above it stands its row of `ops.table`. They trust their arguments; `pellucid.ops` checks them. Float32 in gives
float32 out, with long sums kept in float64.
"""

from __future__ import annotations

from pellucid.ops.reference import augment as augment
from pellucid.ops.reference import border as border
from pellucid.ops.reference import conv as conv
from pellucid.ops.reference import conv_norm as conv_norm
from pellucid.ops.reference import conv_pool as conv_pool
from pellucid.ops.reference import data as data
from pellucid.ops.reference import inverted_residual as inverted_residual
from pellucid.ops.reference import linear as linear
from pellucid.ops.reference import loss as loss
from pellucid.ops.reference import nonlinear as nonlinear
from pellucid.ops.reference import normalization as normalization
from pellucid.ops.reference import optimizer as optimizer
from pellucid.ops.reference import pool as pool
from pellucid.ops.reference import random as random
