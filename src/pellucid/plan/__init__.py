"""How it gets fast: layers say what is computed, a plan decides how.

`lowering` walks the layers, `patterns` holds the table of what runs natively and together, `lowered` says what a
lowered pattern is, `folding` takes batch norm into the weights before it, `feed` brings batches in, `loss` and `update`
end a step, `sub_batches` lets large maps go through a few pictures at a time, `work` joins consecutive native steps to
programs, and `plans` puts it together for a `task`; `memory` asks them what they take; `base` finds what nothing
trained feeds.
"""

from types import ModuleType as _Module

from pellucid.plan.base import frozen_nodes as frozen_nodes
from pellucid.plan.base import split_base as split_base
from pellucid.plan.control import COUNT as COUNT
from pellucid.plan.control import HITS as HITS
from pellucid.plan.control import LOSS as LOSS
from pellucid.plan.control import counts_of as counts_of
from pellucid.plan.control import new_totals as new_totals
from pellucid.plan.feed import Feed as Feed
from pellucid.plan.loss import accuracy_kind as accuracy_kind
from pellucid.plan.lowering import strip_head as strip_head
from pellucid.plan.memory import Memory as Memory
from pellucid.plan.memory import inference_memory as inference_memory
from pellucid.plan.memory import training_memory as training_memory
from pellucid.plan.plans import EvaluationPlan as EvaluationPlan
from pellucid.plan.plans import FeaturePlan as FeaturePlan
from pellucid.plan.plans import InferencePlan as InferencePlan
from pellucid.plan.plans import TrainingPlan as TrainingPlan
from pellucid.plan.predictor import Predictor as Predictor
from pellucid.plan.task import EvaluationTask as EvaluationTask
from pellucid.plan.task import TrainingTask as TrainingTask
from pellucid.plan.update import penalty_loss as penalty_loss

__all__ = sorted(name for name, value in vars().items() if name[0] != "_" and not isinstance(value, _Module))
