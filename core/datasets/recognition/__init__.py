"""What names, texts and values mean, guessed by small functions that open no file."""
