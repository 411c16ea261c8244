"""compose.yaml and deploy/: what a cluster and Compose are told, read as text.

tests/container/test_public.py starts what can be started here, which a cluster cannot.
"""

import contextlib
import os
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import kubernetes_validate
import pytest
import yaml
from conftest import Server, free_port, missing, wait_until
from kubernetes_validate.utils import all_versions, major_minor

OLDEST = (1, 30)  # the first with the sleep that the Deployment ends with, unasked
VERSIONS = sorted({tuple(map(int, major_minor(text).split("."))) for text in all_versions()})
SUPPORTED = [f"{major}.{minor}" for major, minor in VERSIONS if (major, minor) >= OLDEST]
# Names that YAML takes for something else, or that no Service may have as they are
SLUGS = ["square-api", "true", "null", "on", "0x1f", "3d-model", "7" * 63, "a" * 63]


def manifests(project: Path) -> dict[str, dict]:
    text = (project / "deploy/kubernetes.yaml").read_text("utf-8")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


@pytest.fixture
def cluster(bake) -> dict[str, dict]:
    return manifests(bake())


@pytest.fixture
def pod(cluster) -> dict:
    return cluster["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture
def container(pod) -> dict:
    (only,) = pod["containers"]
    return only


@pytest.mark.parametrize("version", SUPPORTED)
def test_every_supported_kubernetes_knows_every_field(cluster, version):
    assert len(SUPPORTED) >= 8
    for document in cluster.values():
        assert kubernetes_validate.validate(document, version, strict=True) == version


def test_the_oldest_kubernetes_is_the_one_that_the_file_names(bake):
    text = (bake() / "deploy/kubernetes.yaml").read_text("utf-8")
    assert "Kubernetes {}.{} or newer".format(*OLDEST) in text


# https://kubernetes.io/docs/concepts/security/pod-security-standards/, "restricted", whole
def test_the_pod_passes_the_restricted_standard(cluster, pod, container):
    everywhere = [pod.get("securityContext", {}), container["securityContext"]]
    merged = everywhere[0] | everywhere[1]
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        assert not pod.get(name)
    assert not any("hostPort" in port for port in container["ports"])
    for volume in pod["volumes"]:
        kind = set(volume) - {"name"}
        assert kind <= {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"} | {
            "persistentVolumeClaim",
            "projected",
            "secret",
        }
    assert merged["allowPrivilegeEscalation"] is False
    assert merged["runAsNonRoot"] is True
    assert merged["seccompProfile"]["type"] in {"RuntimeDefault", "Localhost"}
    assert merged["capabilities"] == {"drop": ["ALL"]}
    for context in everywhere:
        assert context.get("runAsUser") != 0
        assert not context.get("privileged")
        unmentioned = {
            "seLinuxOptions",
            "procMount",
            "sysctls",
            "appArmorProfile",
            "windowsOptions",
        }
        assert not unmentioned & set(context)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert "host" not in container[probe]["httpGet"]
    assert "initContainers" not in pod and "ephemeralContainers" not in pod
    assert "annotations" not in cluster["Deployment"]["spec"]["template"]["metadata"]


def test_the_pod_has_less_than_the_standard_grants(pod, container):
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_what_the_image_writes_to_is_mounted(bake, pod, container):
    text = (bake() / "Dockerfile").read_text("utf-8")
    places = set(re.findall(r"(?:HOME|TMPDIR)=(\S+)", text))
    assert places == {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {volume["name"] for volume in pod["volumes"]} == {
        mount["name"] for mount in container["volumeMounts"]
    }
    assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"])


def test_a_replica_has_the_time_to_answer_what_it_has_begun(bake, pod, container):
    text = (bake() / "gunicorn.conf.py").read_text("utf-8")
    graceful = int(re.search(r"^graceful_timeout = (\d+)$", text, re.M)[1])
    drained = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= drained + graceful + 5
    # Docker kills after 10 seconds if nothing else is said
    service = yaml.safe_load((bake() / "compose.yaml").read_text("utf-8"))["services"]["service"]
    assert int(service.get("stop_grace_period", "10s").rstrip("s")) > graceful


def test_an_update_starts_a_replica_before_it_stops_one(cluster):
    spec = cluster["Deployment"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "replicas" not in spec
    assert cluster["HorizontalPodAutoscaler"]["spec"]["minReplicas"] > 1
    assert cluster["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("slug", SLUGS)
def test_the_parts_find_each_other_under_a_name_that_a_service_may_have(bake, slug):
    project = bake(project_slug=slug)
    cluster = manifests(project)
    (name,) = {document["metadata"]["name"] for document in cluster.values()}
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name)
    labels = {"app.kubernetes.io/name": name}
    deployment, service = cluster["Deployment"]["spec"], cluster["Service"]["spec"]
    (spread,) = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert deployment["template"]["metadata"]["labels"] == service["selector"] == labels
    for selector in (
        deployment["selector"],
        spread["labelSelector"],
        cluster["PodDisruptionBudget"]["spec"]["selector"],
    ):
        assert selector == {"matchLabels": labels}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    assert cluster["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"] == target
    (named,) = deployment["template"]["spec"]["containers"][0]["ports"]
    assert {named["name"]} == {port["targetPort"] for port in service["ports"]}
    page = (project / "docs/deployment.md").read_text("utf-8")
    assert f"deployment/{name}\n" in page and f"service/{name} " in page


def test_the_commands_build_and_push_the_image_that_the_cluster_runs(bake):
    project = bake(project_slug="my-model", version="2.0")
    image = manifests(project)["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"]
    page = (project / "docs/deployment.md").read_text("utf-8")
    assert re.findall(r"^docker build -t (registry\S+) \.$", page, re.M) == [image]
    assert re.findall(r"^docker push (\S+)$", page, re.M) == [image]


def test_compose_hands_every_setting_of_the_service_on(bake):
    settings = runpy.run_path(str(bake() / "service/settings.py"))["SETTINGS"]
    compose = yaml.safe_load((bake() / "compose.yaml").read_text("utf-8"))
    handed = compose["services"]["service"]["environment"]
    table = "\n".join(re.findall(r"(?m)^\|.*", (bake() / "docs/settings.md").read_text("utf-8")))
    told = set(re.findall(r"`([A-Z_]+)[=`]", table))
    assert {f"MODEL_{name}" for name in settings} == {n for n in handed if n.startswith("MODEL_")}
    assert told <= set(handed)
    web_server = (bake() / "deploy/Caddyfile").read_text("utf-8")
    assert f"{{$MODEL_MAX_CONTENT_LENGTH:{settings['MAX_CONTENT_LENGTH']}}}" in web_server


def test_the_web_server_and_compose_agree_on_their_variables(bake):
    compose = yaml.safe_load((bake() / "compose.yaml").read_text("utf-8"))
    used = re.findall(r"{\$(\w+)", (bake() / "deploy/Caddyfile").read_text("utf-8"))
    assert set(used) == set(compose["services"]["proxy"]["environment"])


def test_the_web_server_keeps_no_more_than_it_can_of_requests(bake):
    """A thousand uploads that stop short fit into half of its memory."""
    text = (bake() / "deploy/Caddyfile").read_text("utf-8")
    compose = yaml.safe_load((bake() / "compose.yaml").read_text("utf-8"))
    assert compose["services"]["proxy"]["mem_limit"] == "1g"
    (kilobytes,) = map(int, re.findall(r"request_buffers (\d+)KB", text))
    digits = int(re.search(r"Content-Length \^\\d\{1,(\d)\}\$", text)[1])
    assert kilobytes * 1000 * 1000 <= 500_000_000 and 10**digits <= kilobytes * 1000
    assert "read_header 30s" in text and "read_body 5m" in text


def test_compose_names_every_variable_that_it_reads(bake):
    text = (bake() / "compose.yaml").read_text("utf-8")
    named = re.findall(r"^#   ([A-Z_]+) ", text, re.M)
    assert set(named) == set(re.findall(r"\${([A-Z_]+)", text))


NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_max_body_size 0;
    proxy_request_buffering off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /tides/ {{ proxy_pass http://127.0.0.1:{service}/; }}
    }}
}}
"""
CADDY = """
{{
    admin off
}}
http://127.0.0.1:{port} {{
    handle_path /tides/* {{
        reverse_proxy 127.0.0.1:{service}
    }}
}}
"""
STRIPPING = {
    "nginx": (NGINX, "-e stderr -c".split()),
    "caddy": (CADDY, "run --adapter caddyfile --config".split()),
}


@contextlib.contextmanager
def stripping(name: str, service: int, folder: Path) -> Iterator[str]:
    """Start a web server that gives the service the path /tides; the answer is its address."""
    program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if not program:
        missing(name)
    port, (text, options) = free_port(), STRIPPING[name]
    (folder / "config").write_text(text.format(folder=folder, port=port, service=service))
    own = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    process = subprocess.Popen([program, *options, folder / "config"], env=os.environ | own)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or status(address))
        yield f"{address}/tides/"
    finally:
        process.terminate()
        process.wait()


class Addresses(HTMLParser):
    """Every address that a page names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        """Keep the addresses of an element."""
        named = dict(attributes)
        self.found += [named[name] for name in ADDRESSES if named.get(name)]


ADDRESSES = ("href", "src", "action", "data-api")


@pytest.fixture(scope="module")
def service(bake, serve) -> Iterator[Server]:
    with serve(bake()) as started:
        yield started


@pytest.mark.slow
@pytest.mark.parametrize("name", STRIPPING)
def test_everything_works_under_a_path_that_a_web_server_strips(service, tmp_path, name):
    with stripping(name, service.port, tmp_path) as page:
        answer = urlopen(page)
        named = Addresses(answer.read().decode()).found
        named += re.findall(r"<(\.[^>]+)>", answer.headers["Link"])
        ours = [address for address in named if not re.match(r"[a-z]+:|#", address)]
        assert {"static/style.css", "static/page.js", "api", "./service-info"} <= set(ours)
        assert any(address.startswith("api?") for address in ours)
        for address in ours:
            assert status(urljoin(page, address)) == (422 if address == "api" else 200), address
        assert urlopen(f"{page}api?value=12").read() == b'{"Value Squared":144}\n'
        kind = {"Content-Type": "application/json"}
        assert urlopen(Request(f"{page}api", b'{"value": 12}', kind)).status == 200


@pytest.mark.slow
@pytest.mark.parametrize("name", STRIPPING)
@pytest.mark.parametrize(("path", "refused"), [("api", 413), ("nowhere", 404), ("healthz", 405)])
def test_an_answer_to_a_refused_body_comes_through_a_web_server(
    service, tmp_path, name, path, refused
):
    kind = {"Content-Type": "application/json"}
    with stripping(name, service.port, tmp_path) as page:
        for _ in range(5):
            assert status(Request(f"{page}{path}", bytes(11_000_000), kind)) == refused


def status(address: str | Request) -> int:
    """The status of an answer; 0 without one."""
    try:
        with urlopen(address) as answer:
            return answer.status
    except HTTPError as error:
        return error.code
    except OSError:
        return 0
