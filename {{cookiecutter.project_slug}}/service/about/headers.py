"""The headers that every answer bears, and the links of those that are no errors."""

from service.about.citation import cited
from service.about.provenance import identity


def constant() -> list[tuple[str, str]]:
    """Say which service answers, and that browsers neither guess nor tell."""
    return [
        ("Model-Fingerprint", identity()["fingerprint"]),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    ]


def links() -> str:
    """Where an answer leads (RFC 8631), and under which licence it comes.

    Relative to what was asked for: a web server may give the service a host and a prefix.
    """
    project = cited()
    found = [
        '<./openapi.json>; rel="service-desc"',
        '<./>; rel="service-doc"',
        '<./service-info>; rel="service-meta"',
        '<./healthz>; rel="status"',
        *[f'<https://spdx.org/licenses/{name}>; rel="license"' for name in project.licences],
    ]
    # A name that lasts (RFC 8574), or none
    found += [f'<{project.found_at}>; rel="cite-as"'] if project.doi else []
    return ", ".join(found)
