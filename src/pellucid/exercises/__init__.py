"""Exercises with a checker each: it says whether an answer is right, and what is wrong with one that is not.

    >>> from pellucid import exercises
    >>> print(exercises.check_edge_kernel([[-1, 1], [-1, 1]]))
    Not yet. The kernel answers 0 along this edge: it compares left with right, and the change is from top to bottom.

Every checker takes lang="ko" for Korean, follows the locale without, and returns a Verdict; a wrong answer is a
Verdict too, never an error. EXERCISES has them all as tasks to be solved, by name; another seed gives another task:

    >>> softmax = exercises.EXERCISES["softmax"]
    >>> softmax.check({"shares": [1, 1, 1]}, seed=3).passed
    False

A new exercise is a function under `@exercise(...)` beside its checker; the lab's page and `pellucid exercises` have it
then.
"""

from pellucid.exercises.backward import check_kernel_gradient, check_pooling_gradient
from pellucid.exercises.counting import check_output_size, check_parameter_count, check_receptive_field
from pellucid.exercises.curves import check_curves
from pellucid.exercises.forward import check_convolution, check_pooling, check_softmax
from pellucid.exercises.kernels import (
    CLEAR,
    LEAK,
    MIDDLE,
    ROUNDING,
    EdgeVerdict,
    check_edge_kernel,
    check_shift_kernel,
    check_smoothing_kernel,
    two_halves,
)
from pellucid.exercises.learning import check_loss_gradient, check_step, check_unit_gradient
from pellucid.exercises.networks import check_network
from pellucid.exercises.registry import EXERCISES, PARTS, Exercise, Field, Given, Task, by_part, exercise, find
from pellucid.exercises.verdict import Verdict
from pellucid.exercises.words import MESSAGES

__all__ = [
    "CLEAR", "EXERCISES", "LEAK", "MESSAGES", "MIDDLE", "PARTS", "ROUNDING", "EdgeVerdict", "Exercise", "Field",
    "Given", "Task", "Verdict", "by_part", "check_convolution", "check_curves", "check_edge_kernel",
    "check_kernel_gradient", "check_loss_gradient", "check_network", "check_output_size", "check_parameter_count",
    "check_pooling", "check_pooling_gradient", "check_receptive_field", "check_shift_kernel", "check_smoothing_kernel",
    "check_softmax", "check_step", "check_unit_gradient", "exercise", "find", "two_halves",
]  # fmt: skip
