"""The training doctor: a listener that says in one line each what costs beginners their evenings, with the remedy.

It reads the data once, looks inside the network before the first step and after each epoch, and follows the loss; it
changes nothing. Each rule is one function from a `Chart` to a `Finding` or None, in `data_rules` (pictures and labels),
`network_rules` (layers and what they give) and `course_rules` (losses and times); `sentences` holds what they say, and
docs/doctor.md explains them.
"""

from pellucid.train.doctor.listener import RULES, Doctor
from pellucid.train.doctor.record import in_language, read_findings
from pellucid.train.doctor.sentences import sentence

__all__ = ["RULES", "Doctor", "in_language", "read_findings", "sentence"]
