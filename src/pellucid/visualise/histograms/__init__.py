"""How numbers of a network are spread (`data`), and drawn (`figure`)."""
