"""A kernel on its way over a picture (`data`), as a moving picture (`figure`)."""
