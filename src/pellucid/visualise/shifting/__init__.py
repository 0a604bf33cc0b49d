"""A picture moved step by step through a network (`data`), as a moving picture (`figure`)."""
