"""ONNX's operators and our layers. `table.py` has a row for each, which reads and writes; the functions of a row stand
side by side in the file of their family.

`writing.py` makes nodes of a model's graph, `reading.py` layers of a file's. In both a value knows which of its axes is
which of ours (`axes.py`), so that channels lie first inside a file and last here, and are moved at the ends alone.
"""
