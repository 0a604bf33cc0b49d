"""Training: the loop (`trainer`), what it tells (`events`), who listens (`listeners`, `log`, `tracking`).

How far it is, is a value (`state`). Beside the loop: batches come within reach (`feeding`), are stepped through
(`stepping`) and judged (`judging`); what is run is renewed between epochs (`staging`), and what frozen layers give is
computed once (`features`). `keeping` says when a checkpoint is due, `checkpoints` keeps their folder, `resume` says
what is in one."""

from pellucid.train.callbacks import EarlyStopping
from pellucid.train.checkpoints import Checkpoints, Saved
from pellucid.train.config import TrainConfig
from pellucid.train.events import *  # noqa: F403 (its names are listed there)
from pellucid.train.events import __all__ as _events
from pellucid.train.examples import Examples
from pellucid.train.history import ACCURACY_NAMES, Evaluation, History, named
from pellucid.train.judging import evaluate
from pellucid.train.listeners import Progress
from pellucid.train.log import CsvLog, JsonLog
from pellucid.train.resume import other_backend
from pellucid.train.staging import training_plan
from pellucid.train.state import OptimizerState, TrainingState
from pellucid.train.tracking import MLflow, TensorBoard
from pellucid.train.trainer import Trainer

__all__ = [
    *_events,
    "ACCURACY_NAMES",
    "Checkpoints",
    "CsvLog",
    "EarlyStopping",
    "Evaluation",
    "Examples",
    "History",
    "JsonLog",
    "MLflow",
    "OptimizerState",
    "Progress",
    "Saved",
    "TensorBoard",
    "TrainConfig",
    "Trainer",
    "TrainingState",
    "evaluate",
    "named",
    "other_backend",
    "training_plan",
]
