"""The figures, as Plotly and Altair charts."""
