"""CITATION.cff is the one source of the project's identity: the copies agree with it."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from service.about.citation import cited

PROJECT = Path(__file__).parents[1]


def test_the_service_says_how_to_cite_the_project(client):
    said = client.get("/citation").text
    assert cited().authors[0] in said and cited().found_at in said
    assert cited().title in said and cited().version in said


def test_zenodo_and_github_find_what_they_need():
    """What the service does not use; where it is missing or wrong, they do nothing, unsaid."""
    said = yaml.safe_load((PROJECT / "CITATION.cff").read_text("utf-8"))
    assert said["cff-version"] == "1.2.0" and said["message"]


def label(name: str) -> str:
    """A label of the Dockerfile, unquoted as Docker does it."""
    labels = (PROJECT / "Dockerfile").read_text("utf-8")
    value = re.search(rf'image\.{name}="((?:[^"\\]|\\.)*)"', labels)[1]
    return re.sub(r'\\(["$\\])', r"\1", value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("title", cited().title),
        ("description", cited().abstract),
        ("version", cited().version),
        ("authors", ", ".join(cited().authors)),
        ("source", cited().code),
        ("licenses", " OR ".join(cited().licences)),
    ],
)
def test_the_image_says_what_the_citation_says(name, said):
    assert not said or label(name) == said, (
        f"Write into the Dockerfile what CITATION.cff says: {said}"
    )


@pytest.mark.parametrize("name", ["compose.yaml", "deploy/kubernetes.yaml"])
def test_the_image_is_tagged_with_the_version(name):
    image = re.search(r"^ +(?:- )?image: (?!caddy)(.+)$", (PROJECT / name).read_text("utf-8"), re.M)
    version = cited().version
    tag = image[1].strip('"').rpartition(":")[2]
    assert tag == (version or tag), f"{name}: write {version}, as CITATION.cff"


def test_the_next_version_follows_this_one():
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    assert settings["tool"]["bumpversion"]["current_version"] == cited().version


@pytest.mark.parametrize("name", ["README.md", "docs/deployment.md"])
def test_a_page_names_no_other_version_and_licence(name):
    page = (PROJECT / name).read_text("utf-8")
    image = re.search(r'image: "?([^\s":]+):', (PROJECT / "compose.yaml").read_text("utf-8"))[1]
    version, licences = cited().version, " OR ".join(cited().licences)
    tags = set(
        re.findall(rf"\b{re.escape(image)}:([^\s`]+)|^git (?:tag|push) .*\bv(\S+)$", page, re.M)
    )
    tags = {one or other for one, other in tags}
    assert tags <= {version or tag for tag in tags}, f"{name}: write {version}, as CITATION.cff"
    for said in re.findall(r"\bVersion (\S+), licence (\S+),", page):
        assert said == (version or said[0], licences or said[1]), (
            f"{name}: write what CITATION.cff says"
        )


def test_the_readme_has_the_address_of_the_repository_and_the_image_of_that_name():
    page = (PROJECT / "README.md").read_text("utf-8")
    if not re.fullmatch(r"https?://[\w./:~-]+", cited().code):
        return  # none, or one that no command takes as it stands
    for said in re.findall(r"^git remote add origin (\S+)|, source at <(\S+)>", page, re.M):
        assert cited().code in said, f"README.md: write {cited().code}, as CITATION.cff"
    place = re.fullmatch(r"https://github\.com/(.+?)(\.git)?/?", cited().code)
    for said in re.findall(r"\bghcr\.io/([^\s:@`]+)", page) if place else []:
        name = place[1].lower()
        assert said == name, f"README.md: write ghcr.io/{name}, as GitHub names it by CITATION.cff"


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("service/settings.py", r'PORT = "(\d+)"'),
        ("compose.yaml", r"(?:PORT:-|}:)(\d+)"),
        ("deploy/Caddyfile", r"dynamic a service (\d+)"),
        ("deploy/kubernetes.yaml", r"containerPort: (\d+)"),
    ],
)
def test_the_port_is_the_one_that_the_image_exposes(name, pattern):
    exposed = re.search(r"^EXPOSE (\d+)$", (PROJECT / "Dockerfile").read_text("utf-8"), re.M)[1]
    assert set(re.findall(pattern, (PROJECT / name).read_text("utf-8"))) == {exposed}


def test_the_cluster_asks_for_routes_that_exist(client):
    manifest = (PROJECT / "deploy/kubernetes.yaml").read_text("utf-8")
    asked = re.findall(r"httpGet: {path: ([^,]+),", manifest)
    assert len(asked) == 3
    assert set(asked) <= {rule.rule for rule in client.application.url_map.iter_rules()}
