"""Nested extraction in DSPy 3.4.1."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import dspy
from pydantic import BaseModel, Field, model_validator

TEXT = """Invoice HB-2093 of 3 March 2025, due within 30 days. Harbor Books, Quay 4, Orvane.
2 x atlas of rivers, 24.50 each; 1 x sea chart, 12.00. Total 61.00 euros."""


class Item(BaseModel):
    name: str
    count: Annotated[int, Field(ge=1)]
    price: Annotated[Decimal, Field(gt=0, decimal_places=2)]


class Invoice(BaseModel):
    number: Annotated[str, Field(pattern=r"[A-Z]{2}-\d{4}")]
    issued: date
    due: date
    currency: Literal["EUR", "USD"]
    items: Annotated[list[Item], Field(min_length=1)]
    total: Decimal

    @model_validator(mode="after")
    def adds_up(self):
        """The total is the sum of count times price."""
        if sum(item.count * item.price for item in self.items) != self.total:
            raise ValueError("the items do not add up to the total")
        return self


class ReadInvoice(dspy.Signature):
    """Read the invoice."""

    text: str = dspy.InputField()
    invoice: Invoice = dspy.OutputField()


if __name__ == "__main__":
    dspy.configure(lm=dspy.LM("openai/gpt-6-luna"))
    result = dspy.Predict(ReadInvoice)(text=TEXT)
    print(f"{result.invoice.total} {result.invoice.currency} by {result.invoice.due:%d %B %Y}")
