"""Base networks as pure functions of (parameters, inputs); parameters are dictionaries of named tensors."""
