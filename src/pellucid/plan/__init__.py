"""How it gets fast: layers say what is computed, a plan decides how.

`lowering` walks the layers, `patterns` holds the table of what runs natively and together, `lowered` says what a
lowered pattern is, `folding` takes batch norm into the weights before it, `feed` brings batches in, `loss` and `update`
end a step, `work` joins consecutive native steps to programs, and `plans` puts it together; `memory` asks them what
they take; `base` finds what nothing trained feeds.
"""

from pellucid.plan.base import frozen_nodes, split_base
from pellucid.plan.control import COUNT, HITS, LOSS
from pellucid.plan.feed import Feed
from pellucid.plan.loss import accuracy_kind
from pellucid.plan.memory import Memory, inference_memory, training_memory
from pellucid.plan.plans import EvaluationPlan, FeaturePlan, InferencePlan, TrainingPlan
from pellucid.plan.predictor import Predictor
from pellucid.plan.update import penalty_loss

__all__ = [
    "COUNT",
    "HITS",
    "LOSS",
    "EvaluationPlan",
    "FeaturePlan",
    "Feed",
    "InferencePlan",
    "Memory",
    "Predictor",
    "TrainingPlan",
    "accuracy_kind",
    "frozen_nodes",
    "inference_memory",
    "penalty_loss",
    "split_base",
    "training_memory",
]
