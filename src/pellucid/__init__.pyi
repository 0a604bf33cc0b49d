"""The public names, once: for type checkers and editors, and for __init__.py, which finds them here."""

from pellucid import convert as convert
from pellucid import datasets as datasets
from pellucid import engines as engines
from pellucid import errors as errors
from pellucid import exercises as exercises
from pellucid import export as export
from pellucid import initializers as initializers
from pellucid import keras as keras
from pellucid import lab as lab
from pellucid import layers as layers
from pellucid import losses as losses
from pellucid import metrics as metrics
from pellucid import model as model
from pellucid import ops as ops
from pellucid import optimizers as optimizers
from pellucid import plan as plan
from pellucid import schedules as schedules
from pellucid import scratch as scratch
from pellucid import train as train
from pellucid import transfer as transfer
from pellucid import visualise as visualise
from pellucid import zoo as zoo
from pellucid.convert.files import load as load
from pellucid.errors import BackendError as BackendError
from pellucid.errors import CheckpointError as CheckpointError
from pellucid.errors import ConfigError as ConfigError
from pellucid.errors import DataError as DataError
from pellucid.errors import DivergedError as DivergedError
from pellucid.errors import PellucidError as PellucidError
from pellucid.errors import ShapeError as ShapeError
from pellucid.layers import Layer as Layer
from pellucid.layers import check_gradients as check_gradients
from pellucid.layers.names import *  # noqa: F403 (each layer is named once, there)
from pellucid.model import Model as Model
from pellucid.model import Sequential as Sequential
from pellucid.model import set_exact_convolution as set_exact_convolution
from pellucid.model.tracing import trace as trace
from pellucid.ops import num_threads as num_threads
from pellucid.ops import set_num_threads as set_num_threads
from pellucid.runs.learning_rates import find_learning_rate as find_learning_rate
from pellucid.runs.resume import resume_run as resume_run
from pellucid.runs.run import train_run as train_run
from pellucid.runs.tuning import tune as tune

__version__: str
