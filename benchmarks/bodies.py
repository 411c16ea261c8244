"""Bodies that cost much: up to 10 MB, and most of it wrong."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from started import BUSY, PATIENCE, best, milliseconds, serve

# Models that take such bodies: lists of numbers and of files, and 300 fields
LISTS = """
from pydantic import BaseModel


class Input(BaseModel):
    numbers: list[float] = []
    files: list[bytes] = []


class Output(BaseModel):
    count: int


def predict(inputs: Input) -> Output:
    return Output(count=len(inputs.numbers))
"""
FIELDS = """
from pydantic import BaseModel, create_model

Input = create_model("Input", **{f"f{number}": (float, ...) for number in range(300)})


class Output(BaseModel):
    count: int


def predict(inputs: Input) -> Output:
    return Output(count=300)
"""
JSON, CSV, FORM = "application/json", "text/csv", "multipart/form-data; boundary=b"
PART = '--b\r\nContent-Disposition: form-data; name="a"'  # of a form


def costly(title: str, name: str, make: Callable, kind: str, longest: float = 64) -> Callable:
    """Make the fault that four clients at once send a body that costs much, at most of 10 MB.

    Their answers may have so many kilobytes.
    """
    path = "/api" if "array" not in title and kind != CSV else "/api/batch"
    path += "?keep=5" * ("is kept" in title or "keeps" in title)
    model = FIELDS if "300 fields" in title else LISTS
    link = "/api?" + "&".join(f"f{n}=1" for n in range(300)) if model is FIELDS else "/api"

    def fault() -> tuple[bool, str]:
        body = make().encode()

        def round_of() -> tuple[list[float], tuple]:
            with serve(model=model) as service:
                before, used = service.peaks(), service.computed()
                with service.others(link) as waits, ThreadPoolExecutor(4) as pool:
                    time.sleep(1)
                    calls = [pool.submit(service.post, path, body, kind) for _ in range(4)]
                    answers = [call.result() for call in calls]
                after, used = service.peaks(), (service.computed() - used) / 4
            assert after.keys() == before.keys(), "a process ended"
            growth = 1 + max(0, *(after[process] - before[process] for process in after))
            return waits, (answers, used, growth)

        waits, (answers, used, growth) = best(round_of)
        statuses, lengths, times = map(set, zip(*answers, strict=True))
        told = f"{' or '.join(map(str, sorted(statuses)))} in {max(lengths) / 1000:.1f} kB"
        told += f" after {max(times):.1f} s, of which {used:.1f} s are computed for each"
        told += f"; others wait {milliseconds(*waits)} at most"
        told += f"; a process grows by {growth:.0f} MB at most"
        small = max(lengths) <= longest * 1000 and growth < 25 * max(*lengths, len(body)) / 1e6
        is_one = len(statuses - {503}) == 1  # some may be asked to come back
        return max(waits) < PATIENCE and small and used < 2 * BUSY and is_one, told

    fault.request = path, make, kind
    fault.__doc__, fault.__name__ = f"Four clients at once send {title}", name
    return fault


def many(text: str, count: int) -> str:
    """A text so many times, with commas between."""
    return ",".join([text] * count)


COSTLY = [
    costly(
        "an object with 870,000 unknown names",
        "unknown_names",
        lambda: "{" + ",".join(f'"{number}":1' for number in range(870_000)) + "}",
        JSON,
    ),
    costly(
        "a list of numbers that has 3,200,000 empty texts",
        "empty_texts",
        lambda: '{"numbers":[' + many('""', 3_200_000) + "]}",
        JSON,
    ),
    costly(
        "a list of files that has 4,900,000 numbers",
        "numbers_for_files",
        lambda: '{"files":[' + many("1", 4_900_000) + "]}",
        JSON,
    ),
    costly(
        "an array of 10,000 empty objects, where 300 fields are required",
        "empty_rows",
        lambda: "[" + many("{}", 10_000) + "]",
        JSON,
        10_000,
    ),
    costly(
        "an array of 3,300,000 empty arrays",
        "empty_arrays",
        lambda: "[" + many("[]", 3_300_000) + "]",
        JSON,
    ),
    costly(
        "an array of four objects with 200,000 names, of which one is kept",
        "kept_members",
        lambda: "[" + many("{" + ",".join(f'"{n}":1' for n in range(200_000)) + "}", 4) + "]",
        JSON,
    ),
    costly(
        "an array of one object that keeps 4,800,000 numbers",
        "kept_numbers",
        lambda: '[{"5":[' + many("1", 4_800_000) + "]}]",
        JSON,
        10_000,
    ),
    costly(
        "a table with 4,900,000 names in its header",
        "long_header",
        lambda: many("a", 4_900_000),
        CSV,
    ),
    costly(
        "a table of 4,900,000 lines",
        "many_lines",
        lambda: "numbers\n" + "1\n" * 4_900_000,
        CSV,
    ),
    costly(
        "a form of 180,000 parts",
        "many_parts",
        lambda: (PART + "\r\n\r\n\r\n") * 180_000,
        FORM,
    ),
    costly(
        "a form whose one part has headers of 9 MB",
        "long_part_header",
        lambda: "--b\r\n" + "A: b\r\n" * 1_500_000,
        FORM,
    ),
    costly(
        "a form whose one part has 1,800,000 parameters",
        "many_parameters",
        lambda: PART + "; a=b" * 1_800_000 + "\r\n\r\n",
        FORM,
    ),
]
