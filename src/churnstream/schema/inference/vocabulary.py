"""What the names of columns and the values in them say, in English and in German.

A name is taken apart into words first: `AnnualFee`, `annual_fee` and `Annual Fee` are the same two.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from churnstream.schema.values import FLAGS

_RUN = re.compile(r"[^\W\d_]+|\d+")
_HUMP = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CHURN = _set("churn churned churner churners churns attrition attrited abwanderung abgewandert")

_LEFT = _CHURN | _set(
    "exit exited left leaver cancelled canceled terminated unsubscribed departed defected quit "
    "gone lost lapsed inactive closed gekündigt gekuendigt kündigung kuendigung storniert "
    "ausgetreten austritt beendet inaktiv abgemeldet gegangen weg verloren expired résilié resilie "
    "résiliation parti inactif baja inactivo cancelado perdido disdetta opgezegd opzegging"
)
_ENDED = _set("exit end ended ending leave leaving cancel cancellation termination")
_NOT = _set("not no non never nicht kein")
_FILLING = _set(
    "is has was the did account customer client user member subscriber flag status label value "
    "indicator target yes y 1 binary class state company service us we kunde kunden ist hat "
    "firma client cliente statut estado"
)
_WEAK = _set("target label class outcome y response status result")
_STAYED = _set("retained retention stayed renewed active aktiv geblieben actif activo subscribed")
_STAYING = _STAYED | _set("existing current joined new open ok running bestand neu offen")
_PAST = _set("last previous prior past ago before former letztes vorjahr")
_MODEL = _set(
    "score scored predict predicted prediction probability prob proba propensity likelihood risk "
    "bayes classifier model cltv clv satisfaction"
)
_CUSTOMERS = _set(
    "customer cust client user member subscriber account acct policy policyholder contract guest "
    "household consumer kunde kunden kd nutzer mitglied vertrag police debitor abo abonnent "
    "teilnehmer versicherten cliente client msisdn"
)
_KEYS = _set("id ids uid uuid guid key number num no nr nummer code ref numero número numéro")
_LINKS = ("", "n", "s", "en", "er")  # between the parts of a German word

_ID = _set("id uid uuid guid")
_IN_FRONT = _ID | _set("code key numero número numéro")
_OTHER_ID = re.compile("(order|device|transaction|session|store|branch|employee|product|person)id")
_CONTACTS = _set("phone mobile telephone msisdn iban email mail telefon telefonnummer")
_COUNTERS = _set("row rows rownum rowid rownumber rownames index idx counter serial")
_CODES = _set("zip zipcode postal postcode plz code pincode")
_MONTHLY = _set("monthly month monat monatlich monatliche monatlicher mo")
_MONEY = _set(
    "charge charges fee fees revenue price payment bill billing spend spending rent premium amount "
    "subscription rate cost value beitrag gebühr gebuehr entgelt umsatz preis rechnung"
)
_AMOUNTS = _set(
    "charge charges fee fees revenue price amount spend premium rent salary income balance "
    "beitrag gebühr gebuehr entgelt umsatz preis gehalt einkommen kontostand saldo"
)
_COMPOUNDS = ("beitrag", "gebühr", "gebuehr", "entgelt", "umsatz", "preis", "saldo")
_COUNTING = _set("number count num no type code level class category anzahl")
_NO_MONEY = _set("total last previous number count income salary")
_SIGNED = _set(
    "change delta diff difference net profit margin growth trend gain loss lat latitude lon lng "
    "long longitude temperature slope hike zscore deviation saldo veränderung"
)
_WHEN = _set("date day month time ts timestamp datum tag monat at")
_OBSERVED = _set(
    "snapshot observation observed reference report reporting extract extracted export stichtag "
    "stichtags auszug beobachtung"
)
_PERIODS = _WHEN - {"at"} | _set("period periode quarter quartal week woche")
_MONTHS = _set("tenure months month monate")


def words(text: str) -> tuple[str, ...]:
    """A name or a value as its words, in small letters."""
    found = (part for run in _RUN.findall(text) for part in _HUMP.split(run))
    return tuple(word.lower() for word in found)


def says_left(value: str) -> bool:
    """Whether a value means that a customer has left, as "Attrited Customer" does."""
    found = set(words(value))
    return bool(found & _LEFT) and not found & _NOT


def says_staying(value: str) -> bool:
    """Whether a value means that a customer is there still."""
    return bool(set(words(value)) & _STAYING)


def says_churned(value: str) -> bool:
    """Whether a value speaks of churn itself, and not of a left hand."""
    return says_left(value) and bool(set(words(value)) & _CHURN)


def label_rank(name: str) -> int:
    """How much a name speaks for the label: 3 nothing else, 2 of churn, 1 perhaps, 0 not."""
    found = words(name)
    about_left = set(found) & _LEFT
    if says_of_model(name) or set(found) & _NOT:
        return 0
    if about_left and set(found) & _PAST:
        return 1  # of the year before, as a rule
    if about_left and all(word in _LEFT | _FILLING for word in found):
        return 3
    if about_left & _CHURN:
        return 2
    may_be = bool(set(found) & (_WEAK | _STAYED))
    return int(may_be and all(word in _WEAK | _STAYED | _FILLING for word in found))


def says_stayed(name: str) -> bool:
    """Whether yes means in this column that a customer is still there."""
    return bool(set(words(name)) & _STAYED)


def says_of_model(name: str) -> bool:
    """Whether a name is one that what a model says goes by."""
    return bool(set(words(name)) & _MODEL)


def says_of_churn(name: str) -> bool:
    """Whether a name speaks of churn itself."""
    return bool(set(words(name)) & _CHURN)


def may_know_the_end(name: str) -> bool:
    """Whether a name lets expect that the column is filled when a customer leaves."""
    return bool(set(words(name)) & (_LEFT | _ENDED))


def id_rank(name: str) -> int:
    """How much a name speaks for the id: 3 of a customer, 2 an id, 1 of something else, 0 not."""
    found = words(name)
    joined = "".join(found)
    whose = next((c for c in sorted(_CUSTOMERS, key=len, reverse=True) if joined.startswith(c)), "")
    if whose and joined[len(whose) :] in {link + key for link in _LINKS for key in _KEYS}:
        return 3
    pairs = set(pairwise(found))
    if any(
        (a in _CUSTOMERS and b in _KEYS) or (a in _IN_FRONT and b in _CUSTOMERS) for a, b in pairs
    ):
        return 3
    if joined in _ID or joined in _CUSTOMERS:
        return 2
    return int(bool(set(found) & (_ID | _CONTACTS)) or bool(_OTHER_ID.fullmatch(joined)))


def names_something(name: str) -> bool:
    """Whether a name is that of an identifier or an address, of whatever."""
    return id_rank(name) > 0 or bool(set(words(name)) & _CONTACTS)


def is_counter_name(name: str) -> bool:
    """Whether a name says that a column numbers the rows; one without a name does."""
    found = words(name)
    joined = "".join(found)
    return not joined or joined.startswith("unnamed") or bool({*found, joined} & _COUNTERS)


def is_code(name: str) -> bool:
    """Whether the numbers of a column are codes, with which nothing is computed."""
    return bool(set(words(name)) & _CODES)


def may_be_negative(name: str) -> bool:
    """Whether a quantity of this name has no natural zero, whatever the rows show."""
    return bool(set(words(name)) & _SIGNED)


def is_monthly_value(name: str) -> bool:
    """Whether a name is that of what a customer pays a month."""
    found = words(name)
    if {"arpu", "mrr"} & set(found):
        return True
    joined = "".join(found)
    is_monthly = any(joined.startswith(m) for m in _MONTHLY) or bool(set(found) & _MONTHLY)
    has_money = bool(set(found) & _MONEY) or any(joined.endswith(m) for m in _MONEY)
    return is_monthly and has_money and not set(found) & _NO_MONEY


def is_money(name: str) -> bool:
    """Whether a name is that of an amount of money, which may have cents if no row shows any."""
    found = words(name)
    is_amount = bool(set(found) & _AMOUNTS) or "".join(found).endswith(_COMPOUNDS)
    return is_amount and not set(found) & _COUNTING


def says_when_observed(name: str) -> bool:
    """Whether a name is that of the day, or time, at which a row was true."""
    found = words(name)
    if found == ("event", "ts"):
        return True
    what = set(found) - _WHEN
    return bool(what) and (what <= _OBSERVED or found[:2] == ("as", "of"))


def is_period(name: str) -> bool:
    """Whether a name is that of a day or a month alone, as panels have it."""
    return bool(words(name)) and set(words(name)) <= _PERIODS


def counts_months(name: str) -> bool:
    """Whether a name is that of a time in months."""
    return bool(set(words(name)) & _MONTHS)


def flag(texts: Sequence[str]) -> tuple[str, str] | None:
    """Which of some texts mean no and yes, in their own spelling; None: they are no flag.

    Texts that differ only by case, or by a full stop at the end, are the same.
    """
    by_meaning: dict[str, str] = {}
    for text in texts:
        by_meaning.setdefault(text.lower().removesuffix("."), text)
    for no, yes in FLAGS:
        if by_meaning.keys() == {no, yes}:
            own = by_meaning[no], by_meaning[yes]
            return (no, yes) if own in (("False", "True"), ("FALSE", "TRUE")) else own
    return None
