"""Writes the members of a gym that never was, for the tutorial: who came how often, and who left.

Run it:  python examples/members.py > members.csv
"""

import csv
import random
import sys
from datetime import date, timedelta
from math import exp

PLANS = {"monthly": 49.0, "yearly": 39.0, "student": 29.0}
TODAY = date(2026, 11, 1)

chance = random.Random(7)  # the same members each time
rows = csv.writer(sys.stdout, lineterminator="\n")
rows.writerow(["member_no", "joined", "plan", "monthly_fee", "visits_per_week", "classes", "left"])
for number in range(1, 3001):
    days = chance.randrange(20, 2000)
    plan = chance.choice(list(PLANS))
    visits = round(chance.gammavariate(2, 0.9), 1)
    classes = chance.choice(["yes", "no"])
    pull = 0.9 * (plan == "monthly") - 0.9 * visits - 0.001 * days - 0.5 * (classes == "yes")
    left = chance.random() < 1 / (1 + exp(-1.2 - pull))
    fee = PLANS[plan] + chance.choice([0, 5, 10])
    joined = TODAY - timedelta(days=days)
    label = "yes" if left else "no"
    rows.writerow([f"M{number:05}", joined, plan, fee, visits, classes, label])
