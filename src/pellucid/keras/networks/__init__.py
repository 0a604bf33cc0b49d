"""What the functions of `keras.applications` are made of."""
