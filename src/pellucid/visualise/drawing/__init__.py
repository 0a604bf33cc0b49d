"""What every picture is drawn with: figures, our own canvas, fonts, words in two languages, GIFs."""
