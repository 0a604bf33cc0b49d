"""Models for other programs: `write` makes a file of each format in `formats.FORMATS`, a module of this package each.

What a layer is called elsewhere, and how its weights lie there, stands in a table in `convert`, which reads such files
by the same rows.
"""

from __future__ import annotations

from pellucid.export.formats import FORMATS, Format, format_of, write
from pellucid.export.onnx import to_onnx

__all__ = ["FORMATS", "Format", "format_of", "to_onnx", "write"]
