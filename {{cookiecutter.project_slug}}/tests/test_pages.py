"""The page says what this is, and its sample request works."""

import html
import re

import pytest

from service.citation import CITATION
from service.inputs import is_linkable


def test_the_page_names_the_project(client):
    response = client.get("/")
    assert response.mimetype == "text/html"
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", response.text)[1]
    assert html.unescape(heading) == CITATION["title"]


@pytest.mark.skipif(not is_linkable(), reason="This model takes POST alone.")
def test_the_sample_link_answers(client):
    link = html.unescape(re.search(r'href="(/api[^"]*)"', client.get("/").text)[1])
    assert client.get(link).status_code == 200


def test_the_call_names_the_host_that_the_page_was_opened_at(client):
    page = client.get("/", base_url="http://model.example:8080").text
    assert "http://model.example:8080/api" in page
