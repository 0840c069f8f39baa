"""A run's network as an HTTP service: `python -m core serve RUN_ID`.

`app` is what answers HTTP, `workers` the processes that it has decode and predict, `worker` what runs in each of them,
`requests` the images of a request's body, `page` its description for people. No process imports PyTorch or TensorFlow:
predictions are those of the ONNX export, by onnxruntime.
"""
