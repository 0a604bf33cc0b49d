"""Runs: a training that leaves a folder. `run` trains, `resume` goes on, `setup` makes data and network fit each other.

What a folder holds is `folder`'s, its run.json `record`'s; `console` speaks for a run, in Python or as the command.
"""
