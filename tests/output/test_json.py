"""`cvtpm verify --json` keeps to the schema that docs/ has."""
import json
import os

import jsonschema
import pytest

import outcomes
from outcomes import run

with open(os.path.join(outcomes.HERE, "..", "..", "docs", "verification.schema.json")) as f:
    SCHEMA = json.load(f)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("json")
    return {name: (code, run("--json", *args)) for name, args, code in outcomes.all_outcomes(folder)}


@pytest.mark.parametrize("name", ["genuine-yes", "genuine-refused", "genuine-unknown", "turin-yes", "hcl-yes", "lab-yes",
                                  "lab-refused", "hostile", "junk", "short", "nothing"])
def test_every_outcome_keeps_to_the_schema(answers, name):
    code, done = answers[name]
    assert done.stdout.count(b"\n") == 1
    outcome = json.loads(done.stdout)
    VALIDATOR.validate(outcome)
    assert outcome["exit"] == done.returncode and code in (None, done.returncode)


@pytest.mark.parametrize("change", [
    {"verdict": "maybe"}, {"exit": 1}, {"lab": True}, {"notice": "LAB: x"}, {"more": 1}, {"summary": "verdict: \u202e"},
    {"checks": [{"id": "x"}]}], ids=str)
def test_the_schema_notices_a_change(answers, change):
    outcome = {**json.loads(answers["genuine-yes"][1].stdout), **change}
    assert not VALIDATOR.is_valid(outcome)


def test_the_schema_notices_a_yes_with_a_refused_check(answers):
    outcome = json.loads(answers["genuine-yes"][1].stdout)
    outcome["checks"][0]["verdict"] = "refused"
    assert not VALIDATOR.is_valid(outcome)
