"""The methods of explaining a prediction: a module each, with its `METHOD`."""
