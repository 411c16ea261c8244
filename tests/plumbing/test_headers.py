"""Every answer guards the browser that asked; other pages may read what the setting allows."""

import pytest

from service.about.citation import cited
from service.application import create_app

HERE, ELSEWHERE = "https://pages.example", "https://elsewhere.example"
OWN = {"PROCESSES": 0, "CHECK": False}
ALLOWED = "Access-Control-Allow-Origin"


def ask(origins: str, origin: str, method: str = "GET", path: str = "/healthz", **headers: str):
    """Call a service with a setting of CORS_ORIGINS as the page of an origin does."""
    client = create_app(OWN | {"CORS_ORIGINS": origins}).test_client()
    return client.open(path, method=method, headers={"Origin": origin, **headers})


@pytest.mark.parametrize("path", ["/", "/api", "/healthz", "/nowhere", "/static/style.css"])
def test_every_answer_guards_the_browser(client, path):
    headers = client.get(path, buffered=True).headers  # which closes a file
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_every_page_may_read_the_answers_unless_told_otherwise(client, sample):
    for response in (client.post("/api", json=sample), client.get("/nowhere")):
        assert response.headers[ALLOWED] == "*"
        assert "Origin" not in response.vary


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ("*", HERE, "*"),
        (HERE, HERE, HERE),
        (f"{ELSEWHERE} {HERE}", HERE, HERE),
        (HERE, ELSEWHERE, None),
        (HERE, f"{HERE}.evil.example", None),
        (HERE, "null", None),
        ("", HERE, None),
    ],
)
def test_the_setting_says_whose_pages_may_read(origins, origin, allowed):
    response = ask(origins, origin)
    assert response.headers.get(ALLOWED) == allowed
    assert ("Origin" in response.vary) == (origins not in ("*", ""))
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_a_cache_is_told_even_by_a_request_of_no_page():
    client = create_app(OWN | {"CORS_ORIGINS": HERE}).test_client()
    assert "Origin" in client.get("/healthz").vary


@pytest.mark.parametrize(("origin", "allowed"), [(HERE, True), (ELSEWHERE, False)])
def test_a_page_asks_first_whether_it_may_post(origin, allowed):
    question = {"Access-Control-Request-Method": "POST"}
    response = ask(HERE, origin, "OPTIONS", "/api", **question)
    assert response.status_code == 200 and "POST" in response.headers["Allow"]
    assert response.headers.get(ALLOWED) == (HERE if allowed else None)
    assert ("Access-Control-Allow-Headers" in response.headers) == allowed


@pytest.mark.parametrize("path", ["/", "/examples", "/openapi.json", "/citation", "/healthz"])
def test_an_answer_says_where_the_rest_is(client, path):
    links = client.get(path).headers["Link"].split(", ")
    for relation in ("service-desc", "service-doc", "service-meta", "status"):
        (link,) = [link for link in links if f'rel="{relation}"' in link]
        assert client.get(link[2 : link.index(">")]).status_code == 200, link  # from <./


def test_links_reach_from_below_as_well(client, sample):
    links = client.post("/api/batch", json=[sample]).headers["Link"]
    assert '<../openapi.json>; rel="service-desc"' in links


@pytest.mark.parametrize("path", ["/nowhere", "/api?no-such-field=1", "/static/style.css"])
def test_errors_and_files_lead_nowhere(client, path):
    assert "Link" not in client.get(path, buffered=True).headers  # which closes a file


def test_what_does_not_last_is_not_offered_for_citing(client):
    assert ('rel="cite-as"' in client.get("/").headers["Link"]) == bool(cited().doi)
