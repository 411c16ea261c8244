"""The keeper: the process that starts, watches and replaces the model processes."""
