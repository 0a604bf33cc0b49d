"""The doctor itself: when it looks, which rules it asks, and how it is heard."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pellucid.ops.geometry import Array
from pellucid.train.doctor import course_rules, data_rules, network_rules
from pellucid.train.doctor.chart import Chart, Course, Finding
from pellucid.train.doctor.sentences import sentence
from pellucid.train.events import (
    BatchEnded,
    Diagnosed,
    EpochEnded,
    EpochStarted,
    Event,
    FineTuningStarted,
    Listener,
    TrainingEnded,
    TrainingStarted,
)
from pellucid.train.examples import Examples
from pellucid.train.trainable import Trainable


@dataclass(frozen=True)
class Rule:
    """A name, the function that judges, and the rules after which it is silent, since they are its cause."""

    name: str
    judge: Callable[[Chart], Finding | None]
    silent_after: tuple[str, ...] = ()


_BAD_START = (
    "pictures-not-scaled",
    "pictures-alike",
    "equal-weights",
    "dropout-high",
    "not-shuffled",
    "targets-out-of-reach",
    "scores-squashed",
)
_TOO_LONG = ("weights-large", "learning-rate-high")
_NO_SIGNAL = (
    *_BAD_START,
    *_TOO_LONG,
    "labels",
    "small-batch",
    "dead-relu",
    "saturated",
)

AT_START = (
    Rule("pictures-not-scaled", data_rules.pictures_not_scaled),
    Rule("pictures-alike", data_rules.pictures_alike),
    Rule("labels", data_rules.labels),
    Rule("class-imbalance", data_rules.class_imbalance, ("labels",)),
    Rule("not-shuffled", data_rules.not_shuffled),
    Rule("targets-out-of-reach", data_rules.targets_out_of_reach),
    Rule("held-out-classes", data_rules.held_out_classes, ("labels",)),
    Rule("held-out-scale", data_rules.held_out_scale, ("pictures-not-scaled", "pictures-alike")),
    Rule("overlap", data_rules.overlap),
    Rule("small-batch", network_rules.small_batch),
    Rule("scores-squashed", network_rules.scores_squashed),
    Rule("equal-weights", network_rules.equal_weights),
    Rule("dropout-high", network_rules.dropout_high),
)
INSIDE = (
    Rule("dead-relu", network_rules.dead_relu, (*_BAD_START, *_TOO_LONG, "stuck")),
    Rule("saturated", network_rules.saturated, (*_BAD_START, *_TOO_LONG, "stuck")),
    Rule("wide-range", network_rules.wide_range, ("not-a-number", "learning-rate-high")),
)
AT_STEPS = (
    Rule("not-a-number", course_rules.not_a_number),
    Rule("weights-large", course_rules.weights_large, ("not-a-number", *_BAD_START, "saturated")),
    Rule(
        "learning-rate-high",
        course_rules.learning_rate_high,
        ("not-a-number", "pictures-not-scaled", "dropout-high", "weights-large"),
    ),
)
AT_EPOCHS = (
    Rule("learning-rate-low", course_rules.learning_rate_low, _NO_SIGNAL),
    Rule("stuck", course_rules.stuck, (*_NO_SIGNAL, "class-imbalance", "learning-rate-low")),
    Rule("batch-norm-behind", course_rules.batch_norm_behind, ("small-batch",)),
    Rule(
        "overfitting", course_rules.overfitting, ("held-out-scale", "held-out-classes", "pictures-alike", "small-batch")
    ),
    Rule("waiting", course_rules.waiting),
)
AT_END = tuple(rule for rule in AT_EPOCHS if rule.name == "batch-norm-behind")
RULES = (*AT_START, *INSIDE, *AT_STEPS, *AT_EPOCHS)


class Doctor:
    """Says once a run for each rule what is wrong, and is silent while all is well; it changes nothing.

    test: pictures that are kept for judging in the end, where others than the validation ones are. shuffled: their
    order is another one in each epoch. tell: who hears a
    `Diagnosed`. findings: what it said, in order. In a resumed run it knows what it knew.
    """

    every_batch = False

    def __init__(
        self,
        model: Trainable,
        examples: Examples,
        validation: Examples | None = None,
        *,
        test: Any = None,
        shuffled: bool = True,
        tell: Sequence[Listener] = (),
    ) -> None:
        self.findings: list[Diagnosed] = []
        self._chart = Chart(model, examples, validation, test, shuffled)
        self._tell, self._said = tell, set[str]()

    def __call__(self, event: Event) -> None:
        chart, course = self._chart, self._chart.course
        match event:
            case TrainingStarted():
                chart.batch_size, chart.steps_per_epoch = event.batch_size, event.steps_per_epoch
                head = event.frozen_epochs or 0
                chart.head_epochs = head if head < event.epochs else 0
                if (event.first_epoch, event.first_batch) == (0, 0):
                    chart.course, chart.at_start = Course(penalty=chart.penalty()), True
                    chart.start = chart.sampled_weights()
            case EpochStarted() if chart.at_start:  # by now everybody has heard that training starts
                chart.look()
                self._ask(AT_START + INSIDE)
                chart.at_start = False
            case FineTuningStarted():
                course.fine_tune()
            case BatchEnded():
                course.step(event, chart.steps_per_epoch, chart.penalty)
                self._ask(AT_STEPS)
            case EpochEnded():
                course.epoch(event)
                chart.look()
                self._ask(INSIDE + AT_EPOCHS)
            case TrainingEnded():
                course.diverged, course.ended = event.reason.startswith("the loss became"), True
                self._ask(AT_STEPS + AT_END)
                chart.close_book()

    def state(self) -> Mapping[str, Array]:
        """What was said, and the chart as far as rules will read it."""
        chart = self._chart
        facts = {
            "findings": [asdict(said) for said in self.findings],
            "course": asdict(chart.course),
            "at_start": chart.at_start,
        }
        return {"told": np.frombuffer(json.dumps(facts).encode(), np.uint8), **chart.start}

    def resume(self, state: Mapping[str, Array]) -> None:
        """Know it again."""
        facts, chart = json.loads(bytes(state["told"])), self._chart
        course = facts["course"]
        recent = [EpochEnded(**end) for end in course["recent"]]
        best = None if course["best"] is None else EpochEnded(**course["best"])
        chart.course = Course(**{**course, "recent": recent, "best": best, "_mark": tuple(course["_mark"])})
        chart.at_start = facts["at_start"]
        chart.start = {name: array for name, array in state.items() if name != "told"}
        self.findings = [Diagnosed(**said) for said in facts["findings"]]
        self._said = {said.rule.partition(".")[0] for said in self.findings}

    def _ask(self, rules: Sequence[Rule]) -> None:
        for rule in rules:
            if rule.name in self._said or not self._said.isdisjoint(rule.silent_after):
                continue
            with np.errstate(over="ignore", invalid="ignore"):  # numbers beyond all bounds are what is looked for
                finding = rule.judge(self._chart)
            if finding is not None:
                self._said.add(rule.name)
                text = sentence(finding.sentence, finding.values, "en")
                said = Diagnosed(finding.sentence, text, dict(finding.values), self._chart.course.num_epochs)
                self.findings.append(said)
                for listener in self._tell:
                    listener(said)
