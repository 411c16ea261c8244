"""The header Link of every answer that is no error."""

from service.about.citation import cited


def links() -> str:
    """Link to the description, the page, the facts, the state, the licence and the DOI (RFC 8631).

    The addresses are relative, since a web server may give the service a host and a prefix.
    """
    project = cited()
    found = [
        '<./openapi.json>; rel="service-desc"',
        '<./>; rel="service-doc"',
        '<./service-info>; rel="service-meta"',
        '<./healthz>; rel="status"',
        *[f'<https://spdx.org/licenses/{name}>; rel="license"' for name in project.licences],
    ]
    if project.doi:  # only an address that lasts is for citing (RFC 8574)
        found.append(f'<{project.found_at}>; rel="cite-as"')
    return ", ".join(found)
