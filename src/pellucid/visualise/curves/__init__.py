"""The log of a run (`data`), and drawn (`figure`)."""
