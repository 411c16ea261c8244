"""The description is true: tools that read nothing else find the API to be as it says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import Server, swapped
from openapi_spec_validator import OpenAPIV31SpecValidator
from test_models import MODELS as OTHERS

# More kinds of fields than the other tests need, each the whole of a model/__init__.py.
MODELS = {
    "number": """
from pydantic import BaseModel, Field

class Input(BaseModel):
    length: float = Field(gt=0, le=1e6, description="Length (m)", examples=[1.5])
    exponent: float = Field(default=0.5, ge=-400, lt=400, description="Exponent (1)")

class Output(BaseModel):
    power: float = Field(description="Not finite where the power overflows (1)")
    trace: list[float]

def predict(inputs: Input) -> Output:
    try:
        power = inputs.length**inputs.exponent
    except OverflowError:
        power = float("inf")
    return Output(power=power, trace=[power, -power, power - power])
""",
    "nested": """
from datetime import timedelta
from enum import Enum
from typing import Literal
from pydantic import AwareDatetime, BaseModel, Field

class Gas(Enum):
    CO2 = "carbon dioxide"
    CH4 = "methane"

class Point(BaseModel):
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(0, ge=-180, le=180)

class Input(BaseModel):
    points: list[Point] = Field(min_length=1, examples=[[{"latitude": 1}]])
    start: AwareDatetime = Field(examples=["2024-02-29T12:00:00+01:00"])
    gas: Gas = Gas.CO2
    order: Literal[1, 2] = 1
    weights: list[float | None] | None = None
    label: str | None = Field(None, alias="Label of Run", max_length=20)
    verbose: bool = False

class Output(BaseModel):
    points: list[Point]
    start: AwareDatetime
    gas: Gas
    note: str | None = None
    mean: float | None
    spread: dict[str, float]

def predict(inputs: Input) -> Output:
    mean = sum(point.latitude for point in inputs.points) / len(inputs.points)
    spread = {"all": float("nan")}
    copied = inputs.model_dump(include={"points", "start", "gas"})
    return Output(**copied, mean=mean, spread=spread)
""",
    "list": """
from datetime import date
from enum import Enum
from typing import Annotated
from pydantic import AwareDatetime, BaseModel, Field

class Kind(Enum):
    MEAN = "mean"
    LARGEST = "largest"

class Input(BaseModel):
    values: list[float] = Field(min_length=1, max_length=5, examples=[[1.5, 2]])
    kinds: list[Kind] = Field(default=[Kind.MEAN])
    counts: list[Annotated[int, Field(description="A count")]] | None = None
    day: date | None = None
    at: AwareDatetime | None = None
    scale: bool = False
    limit: Annotated[int, Field(ge=0, le=9, description="The largest")] | None = None

class Output(BaseModel):
    result: dict[Kind, float] = Field(serialization_alias="The Result")

def predict(inputs: Input) -> Output:
    sums = {Kind.MEAN: sum(inputs.values) / len(inputs.values), Kind.LARGEST: max(inputs.values)}
    return Output(result={kind: sums[kind] for kind in inputs.kinds})
""",
    "stochastic": """
import random
from pydantic import BaseModel, Field

class Input(BaseModel):
    draws: int = Field(ge=1, le=100, examples=[3])
    seed: int | None = Field(None, examples=[7])

class Output(BaseModel):
    numbers: list[float]

def predict(inputs: Input) -> Output:
    source = random.Random(inputs.seed)
    return Output(numbers=[source.random() for _ in range(inputs.draws)])
""",
    "text": """
from pydantic import BaseModel, Field

class Input(BaseModel):
    text: str = Field(max_length=1000, examples=["Grüße"])
    code: str = Field("abc", pattern="^[a-z]{3}$")

class Output(BaseModel):
    text: str
    length: int

def predict(inputs: Input) -> Output:
    return Output(text=inputs.text[::-1], length=len(inputs.text))
""",
}

# OpenAPI has no way to say that a part of a form is JSON of a schema, and pydantic none to say
# that the name of a chosen model is required although it has a default.
MODELS |= {
    "image": OTHERS["image"].replace("area: Area", "area: float").replace("area.left", "area"),
    "numpy": OTHERS["numpy"].replace("n == 4", "n < 0").replace("n != 5", "n > 0"),
    "tree": OTHERS["tree"].replace('Literal["day"] = "day"', 'Literal["day"]'),
}

JSON = "application/json"

# JSON Schema calls 2.0 an integer. The service asks for 2, so that integers are exact.
HOOKS = """
import schemathesis

def exact(value):
    if isinstance(value, dict):
        return {name: exact(member) for name, member in value.items()}
    if isinstance(value, list):
        return [exact(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value

@schemathesis.hook
def map_body(context, body):
    return exact(body)

@schemathesis.hook
def map_query(context, query):
    return exact(query)

# In a form all is text. What sends nothing, such as an empty list, is right where a field may be
# left out, and everything is right where the field is a text: `note` in the model of files.
def sends_what_it_is(part):
    if isinstance(part, list):
        return part and all(isinstance(one, bytes) for one in part)
    return isinstance(part, bytes | str | float | int) and part != ""

@schemathesis.hook
def filter_body(context, body):
    if not isinstance(body, dict) or not any(isinstance(part, bytes) for part in body.values()):
        return True
    return isinstance(body.get("note", "a"), str) and all(map(sends_what_it_is, body.values()))
"""

# A link that is too long is refused by the web server, whatever is in it. A bad row of a batch
# is reported in its place, and no schema of a table says which header fits.
CONFIGURATION = """
hooks = "hooks.py"
warnings = false
[checks]
negative_data_rejection.expected-statuses = ["400", "414", "415", "422"]
positive_data_acceptance.expected-statuses = ["2xx", "414"]
[[operations]]
include-path = "/api/batch"
checks.negative_data_rejection.expected-statuses = ["200", "400", "415", "422"]
checks.positive_data_acceptance.expected-statuses = ["200", "400", "422"]
"""


def explored(server: Server, folder: Path, *options: str) -> subprocess.CompletedProcess:
    """What Schemathesis finds with all its checks when it tries everything described.

    It sends the same requests each time: among random ones there are, now and then, some that
    it takes for wrong and that are not, once they are written as text.
    """
    (folder / "hooks.py").write_text(HOOKS)
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    command, same = Path(sys.executable).parent / "st", ["--generation-deterministic"]
    address = f"http://127.0.0.1:{server.port}/openapi.json"
    return subprocess.run(
        [command, "run", "--no-color", "--checks=all", *same, *options, address],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def project(cookies, request) -> Path:
    """A project with the model of the name, or with the square."""
    project = cookies.bake().project_path
    return swapped(project, MODELS[request.param]) if request.param in MODELS else project


DESCRIBED = """
import sys
from service.application import create_app

client = create_app({"PROCESSES": 0, "CHECK": False}).test_client()
sys.stdout.buffer.write(client.get("/openapi.json").data)
"""


def described(project: Path) -> dict:
    """The description that the service of a project gives."""
    printed = subprocess.run(
        [sys.executable, "-c", DESCRIBED], cwd=project, capture_output=True, check=True
    )
    return json.loads(printed.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("project", ["square", *MODELS], indirect=True)
def test_the_description_is_valid(project):
    OpenAPIV31SpecValidator(described(project)).validate()


@pytest.mark.slow
@pytest.mark.parametrize("project", ["list"], indirect=True)
def test_a_link_is_described_by_what_a_query_can_write(project):
    parameters = described(project)["paths"]["/api"]["get"]["parameters"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in parameters}
    assert "null" not in json.dumps(schemas)
    assert [schemas[name]["minItems"] for name in ("values", "kinds", "counts")] == [1, 1, 1]
    assert [found["name"] for found in parameters if found["required"]] == ["values"]
    told = {parameter["name"]: parameter["description"] for parameter in parameters}
    assert (told["counts"], told["limit"], told["scale"]) == ("A count", "The largest", "")


@pytest.mark.slow
@pytest.mark.parametrize("project", ["image"], indirect=True)
def test_a_file_is_described_as_bytes_of_a_form_and_as_base64_in_json(project):
    document = described(project)
    assert list(document["paths"]["/api"]) == ["post"]
    assert list(document["paths"]["/api/batch"]["post"]["requestBody"]["content"]) == [JSON]
    kinds = document["paths"]["/api"]["post"]["requestBody"]["content"]
    assert list(kinds) == [JSON, "multipart/form-data"]
    form = kinds["multipart/form-data"]["schema"]
    assert form["required"] == ["image"] and form["properties"]["bins"]["type"] == "integer"
    for file in (form["properties"]["image"], form["properties"]["masks"]["items"]):
        assert (file["format"], file["contentMediaType"]) == ("binary", "application/octet-stream")
    for name, field in {"Input": "image", "Output": "first"}.items():
        schema = document["components"]["schemas"][name]["properties"][field]
        assert (schema["type"], schema["contentEncoding"]) == ("string", "base64")
    assert schema.get("minLength") is None  # an answer may be empty


def test_the_description_says_what_the_citation_says(cookies):
    project = cookies.bake().project_path
    citation = yaml.safe_load((project / "CITATION.cff").read_text("utf-8"))
    citation["license"] = ["MIT", "Apache-2.0"]
    del citation["abstract"]
    (project / "CITATION.cff").write_text(yaml.safe_dump(citation), "utf-8")
    document = described(project)
    OpenAPIV31SpecValidator(document).validate()
    assert document["info"] == {
        "title": "Square API",
        "version": "0.1.0",
        "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
    }


@pytest.mark.slow
def test_the_square_does_what_its_description_says(bake, serve, tmp_path):
    with serve(bake()) as server:
        result = explored(server, tmp_path, "--max-examples=10")
    assert result.returncode == 0, result.stdout
    assert "Tested: 10\n" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("project", ["square", *MODELS], indirect=True)
def test_a_model_does_what_its_description_says(project, serve, tmp_path, request):
    # Schemathesis makes an invalid member of one choice of a union in a link, which another takes;
    # and it sends a number in a form in the place of a text, which is a text there.
    is_taken = request.node.callspec.params["project"] in ("tree", "image")
    less = ["--exclude-checks=negative_data_rejection"] if is_taken else []
    with serve(project) as server:
        # The same requests every time, so that who sees it fail can see it pass again
        result = explored(server, tmp_path, "--max-examples=60", *less)
    assert result.returncode == 0, result.stdout
    assert "Traceback" not in server.log.read_text()
