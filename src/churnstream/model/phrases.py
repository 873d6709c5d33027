"""Reasons in words."""

from churnstream.records.prediction import ReasonGiven


def reason_for(feature: str, value: str, effect: float) -> ReasonGiven:
    """A feature's value and its effect in log-odds, with words that an agent can read out."""
    phrases = _PHRASES[feature]
    phrase = phrases.get(value) or phrases.get(_ANY, f"{feature} %s") % value
    direction = " raises the risk" if effect > 0 else " lowers the risk"
    return ReasonGiven(feature, value, effect, phrase + direction)


_ANY = None  # stands for every value without a phrase of its own


def _online(service: str) -> dict[str | None, str]:
    """Phrases for a service that needs the internet."""
    return {
        "Yes": service.capitalize(),
        "No": f"No {service}",
        "No internet service": f"No {service} (no internet service)",
    }


_PHRASES: dict[str, dict[str | None, str]] = {
    "gender": {"Female": "Being female", "Male": "Being male"},
    "SeniorCitizen": {"1": "Being a senior citizen", "0": "Not being a senior citizen"},
    "Partner": {"Yes": "Having a partner", "No": "Having no partner"},
    "Dependents": {"Yes": "Having dependents", "No": "Having no dependents"},
    "tenure": {
        "0": "Being a new customer",
        "1": "A tenure of 1 month",
        _ANY: "A tenure of %s months",
    },
    "PhoneService": {"Yes": "Phone service", "No": "No phone service"},
    "MultipleLines": {
        "Yes": "A second phone line",
        "No": "A single phone line",
        "No phone service": "No phone line",
    },
    "InternetService": {"No": "No internet service", _ANY: "%s internet"},
    "OnlineSecurity": _online("online security"),
    "OnlineBackup": _online("online backup"),
    "DeviceProtection": _online("device protection"),
    "TechSupport": _online("tech support"),
    "StreamingTV": _online("television streaming"),
    "StreamingMovies": _online("movie streaming"),
    "Contract": {_ANY: "%s contract"},
    "PaperlessBilling": {"Yes": "Paperless billing", "No": "Billing on paper"},
    "PaymentMethod": {
        "Bank transfer (automatic)": "Payment by automatic bank transfer",
        "Credit card (automatic)": "Payment by automatic credit card",
        "Electronic check": "Payment by electronic check",
        "Mailed check": "Payment by mailed check",
        _ANY: "Payment by %s",
    },
    "MonthlyCharges": {_ANY: "A monthly charge of %s"},
    "TotalCharges": {_ANY: "A total of %s charged so far"},
}
