"""The square of an integer: the example to replace with your own model."""

from pydantic import BaseModel, Field

LARGEST = 10**150  # its square, 10^300, stays within the range of a double: JSON readers take it


class Input(BaseModel, extra="forbid"):
    """The integer to square."""

    value: int = Field(
        ge=-LARGEST,
        le=LARGEST,
        description="The integer to square (dimensionless)",
        examples=[2],
    )


class Output(BaseModel):
    """The square."""

    value_squared: int = Field(
        serialization_alias="Value Squared",
        description="The square of the value (dimensionless)",
    )


def predict(inputs: Input) -> Output:
    """Square the value, exactly: Python's integers neither round nor overflow."""
    return Output(value_squared=inputs.value**2)
