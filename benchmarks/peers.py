"""The servers that speed.py measures, each written and started as its own documentation says.

Every application calls `compute` of science.py. It squares the value, or does the work that
the value names, so that all servers compute the same.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

# A request: the path, the body (none: GET) and its type.
Request = tuple[str, bytes | None, str]

SQUARE = """
def compute(value):
    return value**2
"""
WORK = """
import time
import numpy as np

def python(number):  # 5 ms of this thread's own time, in pure Python
    end = time.thread_time() + 0.005
    while time.thread_time() < end:
        pass
    return number

def numpy(number, seconds=0.005):  # in NumPy, which lets go of the interpreter lock
    values, end = np.linspace(0, 1, 20_000), time.thread_time() + seconds
    while time.thread_time() < end:
        np.sin(values)
    return number

def random(number):  # as models do that know one generator, which is everybody's
    np.random.seed(number)
    return int(1e6 * sum(np.random.rand() for _ in range(50_000)))

WORKS = {1: python, 2: numpy, 3: lambda number: numpy(number, 0.2), 4: random}

def compute(value):
    kind, number = divmod(value, 1_000_000)
    return WORKS[kind](number) if kind in WORKS else value**2
"""
KINDS = {"python": 1_000_007, "numpy": 2_000_007, "long": 3_000_007, "random": 4_000_000}

SEED = """
import json
from flask import Flask, request
from science import compute
app = Flask(__name__)
@app.route("/")
def home():
    return "Square API"
@app.route("/api")
def square():
    return json.dumps({"Value Squared": compute(int(request.args.get("value")))})
"""
FLASK = """
import csv
from flask import Flask, request
from science import compute
app = Flask(__name__)
@app.get("/healthz")
def health():
    return "ok"
@app.get("/api")
def square():
    return {"Value Squared": compute(int(request.args["value"]))}
@app.post("/api/batch")
def batch():
    if request.is_json:
        return [{"Value Squared": compute(int(row["value"]))} for row in request.get_json()]
    rows = csv.DictReader(request.get_data(as_text=True).splitlines())
    return "Value Squared\\n" + "".join(f"{compute(int(row['value']))}\\n" for row in rows)
"""
FASTAPI = """
from fastapi import FastAPI
from pydantic import BaseModel, Field
from science import compute
app = FastAPI()
class Input(BaseModel):
    value: int
class Output(BaseModel):
    squared: int = Field(serialization_alias="Value Squared")
@app.get("/healthz")
def health() -> str:
    return "ok"
@app.get("/api")
def square(value: int) -> Output:
    return Output(squared=compute(value))
@app.post("/api/batch")
def batch(rows: list[Input]) -> list[Output]:
    return [Output(squared=compute(row.value)) for row in rows]
"""
BENTOML = """
import bentoml
from pydantic import BaseModel
from science import compute
class Input(BaseModel):
    value: int
class Output(BaseModel):
    squared: int
@bentoml.service(workers=2)
class Square:
    @bentoml.api
    def predict(self, value: int) -> int:
        return compute(value)
    @bentoml.api
    def batch(self, rows: list[Input]) -> list[Output]:
        return [Output(squared=compute(row.value)) for row in rows]
"""
LITSERVE = """
import sys
import litserve
from science import compute
class Square(litserve.LitAPI):
    def setup(self, device):
        pass
    def decode_request(self, request):
        return request["input"]
    def predict(self, value):
        return [compute(one) for one in value] if isinstance(value, list) else compute(value)
    def encode_response(self, output):
        return {"output": output}
if __name__ == "__main__":
    server = litserve.LitServer(Square(), accelerator="cpu", workers_per_device=2)
    server.run(port=int(sys.argv[1]), generate_client_file=False)
"""
MLSERVER = """
import numpy as np
from mlserver import MLModel
from mlserver.codecs import decode_args
from science import compute
class Square(MLModel):
    @decode_args
    async def predict(self, value: np.ndarray) -> np.ndarray:
        return np.array([compute(int(one)) for one in value.flatten()])
"""
MLFLOW = """
import mlflow
from science import compute
class Square(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [compute(value) for value in model_input["value"].tolist()]
mlflow.models.set_model(Square())
"""
MLFLOW_SAVE = """
import mlflow, pandas
rows = pandas.DataFrame({"value": [2]})
signature = mlflow.models.infer_signature(rows, [4])
given = {"code_paths": ["science.py"], "signature": signature}
mlflow.pyfunc.save_model("square", python_model="model.py", pip_requirements=[], **given)
"""
VETIVER = """
import pandas
from science import compute
from vetiver import VetiverAPI, VetiverModel
from vetiver.handlers.base import BaseHandler
class Square:
    pass
class Handler(BaseHandler):
    model_class = staticmethod(lambda: Square)
    def handler_predict(self, input_data, check_prototype):
        return [compute(value) for value in input_data["value"].tolist()]
rows = pandas.DataFrame({"value": [2]})
model = VetiverModel(Handler(Square(), rows), "square", prototype_data=rows)
app = VetiverAPI(model, check_prototype=True).app
"""
COG = """
from cog import BasePredictor, Input
from science import compute
class Predictor(BasePredictor):
    def predict(self, value: int = Input(description="The integer to square")) -> int:
        return compute(value)
"""


def post(path: str, data: object) -> Request:
    """A request with a JSON body."""
    return path, json.dumps(data).encode(), "application/json"


def table(path: str, values: range) -> Request:
    """A request with the values as CSV."""
    return path, "\n".join(["value", *map(str, values), ""]).encode(), "text/csv"


def link(value: int) -> Request:
    """The request that the seed, Flask, FastAPI and ours take."""
    return f"/api?value={value}", None, ""


def tensor(values: list[int]) -> Request:
    """Write rows for MLServer, by the V2 inference protocol."""
    given = {"name": "value", "shape": [len(values)], "datatype": "INT64", "data": values}
    return post("/v2/models/square/infer", {"inputs": [given]})


def split(values: list[int]) -> Request:
    """Write rows for MLflow, as a DataFrame."""
    rows = {"columns": ["value"], "data": [[value] for value in values]}
    return post("/invocations", {"dataframe_split": rows})


def records(path: str) -> Callable[[range], Request]:
    """Give the function that writes rows as a list of objects."""
    return lambda values: post(path, [{"value": value} for value in values])


@dataclass(frozen=True)
class Server:
    """A server: its installation, its start and its requests."""

    command: str  # {port} stands for the port; the first word is a program of its environment
    files: dict[str, str]
    ask: Callable[[int], Request] = link
    batches: dict[str, Callable[[range], Request]] = field(default_factory=dict)
    health: str = "/healthz"
    packages: str = ""  # none: those of the template
    prepare: str = ""  # a command that runs once, before the first start
    variables: dict[str, str] = field(default_factory=dict)
    ours: bool = False

    @property
    def environment(self) -> str:
        """The name of the folder with its packages."""
        return self.packages.partition("=")[0]


BATCH = records("/api/batch")
FAST = "fastapi==0.165.0 uvicorn[standard]==0.54.0 numpy"
OURS = {"json": BATCH, "csv": lambda values: table("/api/batch", values)}
# 10,000 rows are the most by default; the peers have no such limit.
LIMIT = {"MODEL_BATCH_ROWS": "100000", "MODEL_PROCESSES": "2", "PORT": "{port}"}


def fastapi(workers: int, source: str) -> Server:
    """FastAPI with this many workers."""
    command = f"uvicorn peer:app --port {{port}} --workers {workers}"
    return Server(command, {"peer.py": source}, batches={"json": BATCH}, packages=FAST)


def ours(workers: int) -> Server:
    """The default project with this many service processes, and two model processes."""
    variables = LIMIT | {"WEB_CONCURRENCY": str(workers)}
    return Server("gunicorn", {}, batches=OURS, variables=variables, ours=True)


ASYNC = FASTAPI.replace("def square(", "async def square(").replace(
    "def batch(", "async def batch("
)
PORTS = {"HTTP": "{port}", "GRPC": "{port1}", "METRICS": "{port2}"}
SERVERS = {
    "seed": Server("gunicorn -b :{port} flask_api:app", {"flask_api.py": SEED}, health="/"),
    "Flask, 4": Server(
        "gunicorn -w 4 -b :{port} flask_api:app", {"flask_api.py": FLASK}, batches=OURS
    ),
    "FastAPI def, 1": fastapi(1, FASTAPI),
    "FastAPI def, 2": fastapi(2, FASTAPI),
    "FastAPI async, 1": fastapi(1, ASYNC),
    "FastAPI async, 2": fastapi(2, ASYNC),
    "BentoML": Server(
        "bentoml serve service:Square --port {port}",
        {"service.py": BENTOML},
        lambda value: post("/predict", {"value": value}),
        {"json": lambda values: post("/batch", {"rows": [{"value": value} for value in values]})},
        "/healthz",
        "bentoml==1.4.40 numpy",
        variables={"BENTOML_DO_NOT_TRACK": "True"},
    ),
    "LitServe": Server(
        "python server.py {port}",
        {"server.py": LITSERVE},
        lambda value: post("/predict", {"input": value}),
        {"json": lambda values: post("/predict", {"input": list(values)})},
        "/health",
        "litserve==0.2.19 numpy",
    ),
    "MLServer": Server(
        "mlserver start .",
        {
            "model.py": MLSERVER,
            "model-settings.json": '{"name": "square", "implementation": "model.Square"}',
            "settings.json": '{"parallel_workers": 2}',
        },
        lambda value: tensor([value]),
        {"json": lambda values: tensor(list(values))},
        "/v2/health/live",
        # With a newer uvloop its workers end at once: "There is no current event loop".
        "mlserver==1.7.1 uvloop==0.21.0 numpy",
        variables={f"MLSERVER_{name}_PORT": port for name, port in PORTS.items()},
    ),
    "MLflow": Server(
        "mlflow models serve --env-manager local --model-uri square --port {port} --workers 2",
        {"model.py": MLFLOW, "save.py": MLFLOW_SAVE},
        lambda value: split([value]),
        {
            "json": lambda values: split(list(values)),
            "csv": lambda values: table("/invocations", values),
        },
        "/ping",
        "mlflow==3.17.2 numpy",
        "python save.py",
    ),
    "vetiver": Server(
        "uvicorn app:app --port {port}",
        {"app.py": VETIVER},
        lambda value: post("/predict", [{"value": value}]),
        {"json": records("/predict")},
        "/ping",
        "vetiver==0.2.6 numpy",
    ),
    "Cog": Server(
        "python -m cog.server.http --host 127.0.0.1",
        {"predict.py": COG},
        lambda value: post("/predictions", {"input": {"value": value}}),
        {},
        "/health-check",
        "cog==0.23.1 numpy",
        variables={"PORT": "{port}", "COG_PREDICT_TYPE_STUB": "predict.py:Predictor"},
    ),
    "ours, 1": ours(1),
    "ours, 2": ours(2),
}
