"""What happens in a model process: the contract with `model/`, reading, predicting, writing."""
