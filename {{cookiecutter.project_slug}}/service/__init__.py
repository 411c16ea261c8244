"""The plumbing: it serves the model over HTTP. Importing a module of it has no effects.

    service/         the service processes: routes, reading, errors, log
    service/keeper/  the keeper: it starts the model processes and replaces those that end
    service/runner/  the model processes: the contract with model/, reading, predicting, writing
    service/about/   the description of the service: page, OpenAPI, citation, provenance
    service/proof/   the recorded examples: check, record, reproduce; and the weights

A service process imports nothing of `model/`, and a model process nothing of Flask.
"""
