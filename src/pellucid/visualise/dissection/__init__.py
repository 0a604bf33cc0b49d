"""One number of a layer taken apart (`data`), and drawn (`figure`)."""
