"""The maps that layers make of a picture (`data`), and drawn (`figure`)."""
