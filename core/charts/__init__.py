"""The figures, as Altair charts where they are live and as Plotly's where they stand still."""
