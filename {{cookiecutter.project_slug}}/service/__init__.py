"""The plumbing: the model's face, over HTTP. Importing a module of it has no effects.

    service/         what happens to a request, in a service process: routes, reading, errors, log
    service/keeper   the one process between: starts the model processes, hands requests to them
    service/runner/  what happens in a model process: the contract with model/, reading, predicting
    service/about/   what the service says of itself: page, OpenAPI, citation, provenance
    service/proof/   the recorded examples: check, record, reproduce; and the weights

A service process imports nothing of `model/`, and a model process nothing of Flask.
"""
