"""The formats that images come in, one module each."""
