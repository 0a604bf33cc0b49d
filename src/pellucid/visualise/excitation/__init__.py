"""Pictures that excite a filter most, found among many or made (`data`), and drawn (`figure`)."""
