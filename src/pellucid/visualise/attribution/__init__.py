"""Which pixels the score of a class depends on (`data`), and drawn over the picture (`figure`)."""
