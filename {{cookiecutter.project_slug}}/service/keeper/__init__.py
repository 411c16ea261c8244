"""What happens in the keeper: the one process between the service and the model processes."""
