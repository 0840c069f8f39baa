"""The figures, as Altair charts."""
