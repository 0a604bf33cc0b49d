"""Training: the loop (`trainer`), what it tells (`events`), who listens (`listeners`), what a run leaves (`run`).

What frozen layers give is computed once (`features`)."""

from pellucid.train.config import TrainConfig
from pellucid.train.early_stopping import EarlyStopping
from pellucid.train.events import (
    BatchEnded,
    Diagnosed,
    EpochEnded,
    EpochStarted,
    EvaluationStarted,
    Event,
    FeaturesComputed,
    FeaturesNotKept,
    Listener,
    Stop,
    TrainingEnded,
    TrainingStarted,
    standardize_listeners,
)
from pellucid.train.examples import Examples
from pellucid.train.history import Evaluation, History
from pellucid.train.listeners import JsonLog, Progress
from pellucid.train.run import new_run_folder, run_training
from pellucid.train.trainer import Trainer, evaluate

__all__ = [
    "BatchEnded",
    "Diagnosed",
    "EarlyStopping",
    "EpochEnded",
    "EpochStarted",
    "Evaluation",
    "EvaluationStarted",
    "Event",
    "Examples",
    "FeaturesComputed",
    "FeaturesNotKept",
    "History",
    "JsonLog",
    "Listener",
    "Progress",
    "Stop",
    "TrainConfig",
    "Trainer",
    "TrainingEnded",
    "TrainingStarted",
    "evaluate",
    "new_run_folder",
    "run_training",
    "standardize_listeners",
]
