"""What a run's record, `run.json`, may hold: types, ranges and lengths, for our own runs as for those of others.

Pages, tables and exports read records and rely on this: what passes here can be shown, compared and written by all of
them. What is not known here is kept, as long as it is small.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from engine.errors import BadRun, quoted

SCHEMA = 2
LARGEST_WHOLE = 2**53  # up to here whole numbers survive every table format
LARGEST = 1e100  # of numbers that were measured
LARGEST_PARAMETER = 1e38  # of numbers that a learner, a task or a training was made with, as `configure` takes them
LONGEST_TEXT = 2000
DEEPEST, MOST_VALUES = 6, 2000
REQUIRED = ("learner", "hyper_parameters", "task", "task_parameters", "seed")  # every record has these from the start

Status = Literal["queued", "running", "done", "cancelled", "failed", "diverged", "interrupted"]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be plain text, without control characters")
    return text


def _writable(text: str) -> str:
    """A message, which may have several lines; files and pages must be able to hold it."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("must be plain text, without control characters")
    return text


def _folder_name(name: str) -> str:
    if name in ("", ".", "..") or any(letter in name for letter in "/\\") or not name.isprintable():
        raise ValueError("must hold plain names of folders")
    return name


class _Entry(ValueError):
    """What is wrong with one entry of an object."""

    def __init__(self, key: str, value: Any, what: str):
        super().__init__(what)
        self.key, self.value = key, value


def _small(value: Any, largest: float = LARGEST) -> Any:
    if not isinstance(value, dict):
        return value  # of another kind: that is said elsewhere
    values = 0
    for key, one in value.items():
        try:
            values += _count(one, largest, 1)
        except ValueError as error:
            raise _Entry(key, one, str(error)) from None
    if values > MOST_VALUES:
        raise ValueError(f"must not hold more than {MOST_VALUES:,} values")
    for key in value:
        _name(key)
    return value


def _parameters(value: Any) -> Any:
    return _small(value, LARGEST_PARAMETER)


def _count(value: Any, largest: float, depth: int) -> int:
    """How many values JSON content holds; raises ValueError where it is too much of anything."""
    if isinstance(value, str):
        _writable(value)
        if len(value) > LONGEST_TEXT:
            raise ValueError(f"must not hold text of more than {LONGEST_TEXT:,} characters")
    elif isinstance(value, float):
        if not math.isfinite(value) or abs(value) > largest:
            raise ValueError(f"must not hold numbers beyond {largest:g}")
    elif isinstance(value, int) and abs(value) > min(LARGEST_WHOLE, largest):
        raise ValueError(f"must not hold numbers beyond {min(LARGEST_WHOLE, largest):g}")
    if not isinstance(value, dict | list | tuple):
        return 1
    if depth >= DEEPEST:
        raise ValueError(f"must not be nested deeper than {DEEPEST} levels")
    number = len(value)
    if isinstance(value, dict):
        for key in value:
            _name(str(key))
    if number <= MOST_VALUES:
        number = sum(_count(one, largest, depth + 1) for one in (value.values() if isinstance(value, dict) else value))
    if number > MOST_VALUES:
        raise ValueError(f"must not hold more than {MOST_VALUES:,} values")
    return number + 1


def _name(key: str) -> str:
    if not key.isprintable() or len(key) > 100:
        raise ValueError("must have plain names of at most 100 characters")
    return key


Text = Annotated[str, Field(max_length=100), AfterValidator(_printable)]
Owner = Annotated[str, Field(max_length=300), AfterValidator(_printable)]
Number = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Measured = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Parameters = Annotated[dict[str, Any], AfterValidator(_parameters)]


class Budget(BaseModel):
    """How a run was trained: the numbers that pages reckon with, and whatever else is small."""

    model_config = ConfigDict(strict=True, extra="allow")

    iterations: Count = 0
    meta_batch: Count = 0

    @model_validator(mode="after")
    def _rest(self) -> "Budget":
        _parameters(self.__pydantic_extra__)
        return self


class Record(BaseModel):
    """The schema of `run.json`; a test compares docs/record.md with it."""

    model_config = ConfigDict(strict=True, extra="allow", populate_by_name=False, use_attribute_docstrings=True)

    number: Literal[2] = Field(alias="schema")
    """Of this schema; records of earlier ones are read as this one."""
    plugins: Annotated[dict[Text, Owner], Field(max_length=10)] = {}
    """The plug-ins that brought its learner, network or task, with their versions (of files, their hashes)."""
    learner: Text
    """Its registered name."""
    hyper_parameters: Parameters
    """Of the learner, its network among them."""
    task: Text
    """The registered name of the distribution of tasks."""
    task_parameters: Parameters
    """Of the distribution."""
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    """Of the start and of the tasks met in training."""
    shots: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Support points in training (of each class); those of `task_parameters`."""
    recipe: Text = ""
    """The collection of recipes that it was trained by."""
    training: Budget = Budget()
    """Budget, optimiser and schedule; pages reckon with `iterations` and `meta_batch`."""
    group: Annotated[
        list[Annotated[str, Field(max_length=200), AfterValidator(_folder_name)]], Field(max_length=1000)
    ] = []
    """The names of the run folders that were trained together, this one among them."""
    iteration: Count = 0
    """Meta-updates done so far."""
    device: Text = ""
    """What it was trained on."""
    compiled: bool = False
    """Whether with torch.compile."""
    threads: Annotated[int, Field(ge=0, le=10_000)] = 1
    """Of PyTorch."""
    versions: Annotated[dict[str, Any], AfterValidator(_small)] = {}
    """Of the code and the libraries."""
    seconds: Number = 0
    """What the training took so far, all seeds together."""
    tasks_per_s: Number = 0
    """Tasks per second, all seeds together."""
    memory: Number = 0
    """The most bytes that the training held at once."""
    pid: Annotated[int, Field(ge=0, le=LARGEST_WHOLE)] = 0
    """The process that trains or trained it."""
    updated: Text = ""
    """When the record was last written."""
    status: Status = "queued"
    """Where it stands."""
    error: Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_writable)] | None = None
    """Why it failed or diverged."""
    metrics: Annotated[
        dict[Annotated[str, Field(max_length=100), AfterValidator(_printable)], Measured | None],
        Field(max_length=100),
        BeforeValidator(_small),
    ] = {}
    """Measured at the end: `test_...` on fresh tasks, `best_iteration` on validation tasks ..."""
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = ""
    """Of the file of weights, which must agree."""
    imported: bool = False
    """Whether it came from an archive."""

    @model_validator(mode="after")
    def _together(self) -> "Record":
        _small(self.__pydantic_extra__)
        told = self.task_parameters.get("shots", self.shots)
        if "shots" in self.model_fields_set and told != self.shots:
            raise ValueError(f"shots must be those of task_parameters, {quoted(told)}; {self.shots} was given")
        return self


def migrated(record: dict[str, Any]) -> dict[str, Any]:
    """A record of any schema as one of this schema.

    1 -> 2: the `widths` of a learner become a network, an MLP, among its hyper-parameters; so does whether the bias of
    its output was drawn: `output_bias` said so for MAML, and it always was for OP-LSTM and the embedding of ProtoNet.
    """
    values = record.get("hyper_parameters")
    if record.get("schema") == SCHEMA or not isinstance(values, dict):
        return {**record, "schema": SCHEMA}
    learner, values = record.get("learner"), dict(values)
    mlp = {key: values.pop(key) for key in ("widths", "output_bias") if key in values}
    if mlp:
        if learner in ("op-lstm", "op-lstm-first-order", "protonet"):
            mlp["output_bias"] = True
        values = {"encoder" if learner == "protonet" else "network": {"name": "mlp", **mlp}, **values}
    return {**record, "schema": SCHEMA, "hyper_parameters": values}


def checked(record: Any, where: str) -> dict[str, Any]:
    """The content of a record, if it is one.

    Args:
        record: what its JSON holds.
        where: the file, for the message.

    Raises:
        BadRun: names the first value that is missing or not allowed, what is allowed, and what was given.
    """
    if not isinstance(record, dict):
        raise BadRun(f"{where} must hold one JSON object.")
    if record.get("schema") not in range(1, SCHEMA + 1) or isinstance(record["schema"], bool):
        said = quoted(record.get("schema"))
        raise BadRun(f"{where} has schema {said}; this version reads schemas up to {SCHEMA}.")
    if missing := [key for key in REQUIRED if key not in record]:
        raise BadRun(f"{where} lacks {', '.join(missing)}.")
    record = migrated(record)
    try:
        Record.model_validate(record)
    except ValidationError as error:
        raise BadRun(f"{where}: {_sentence(error.errors(include_url=False)[0])}.") from None
    except RecursionError:
        raise BadRun(f"{where} is nested too deeply.") from None
    return record


_WORDS = {
    "string_type": "must be text",
    "string_unicode": "must be plain text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be finite",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "string_pattern_mismatch": "must be 64 hexadecimal digits",
}


def _sentence(error: Any) -> str:
    """One mistake: which value, what it must be, and what it is."""
    place, more = [str(part) for part in error["loc"] if part not in ("int", "float", "[key]")], error.get("ctx", {})
    key = " of ".join(quoted(part)[1:-1] for part in reversed(place[:2]))
    match error["type"]:
        case "value_error":
            what, found = str(more["error"]), more["error"]
            if isinstance(found, _Entry):
                inside = f" of {key}" if key else ""
                return f"{quoted(found.key)[1:-1]}{inside} {what}, got {quoted(found.value)}"
            if not place:  # of several values together
                return what
        case "greater_than_equal":
            what = f"must be at least {more['ge']}"
        case "less_than_equal":
            what = f"must be at most {more['le']:g}"
        case "less_than":
            what = f"must be below {more['lt']}"
        case "string_too_long" | "too_long":
            what = f"must have at most {more['max_length']} {'characters' if error['type'][0] == 's' else 'entries'}"
        case "literal_error":
            what = f"must be {more['expected']}"
        case kind:
            what = _WORDS.get(kind, error["msg"][0].lower() + error["msg"][1:])
    return f"{key} {what}, got {quoted(error['input'])}"
