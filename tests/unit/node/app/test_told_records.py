"""What is shown of the records: all that a node said, and no secret."""

import pytest

from mesh.registry_kind import registry_part
from mesh.registry_records import RegistryRecords
from node.accounts.registry_record import RegistryRecord
from node.app import told_records as shown
from node.app.told_records import told_records
from tests.fakes.neighbours import id_of

OWN, VALLEY = id_of("hill"), id_of("valley")
KINDS = ("passphrase", "objection")


def told() -> RegistryRecords:
    records = RegistryRecords(OWN, dict.fromkeys(KINDS))
    records.put("passphrase", "ana", {"hash": "scrypt:…:secret", "day": "2026-11-24"})
    objection = RegistryRecord("objection", "00ff-hill", 2, "2028-01-01", {"account": "ana", "text": "Why?"})
    records.take(VALLEY, registry_part("objection", objection.key), [objection])
    records.put("passphrase", "ben", {}, "2028-01-01")
    return records


def test_each_record_about_an_account_is_shown_with_the_node_that_says_it() -> None:
    found, more = told_records(told(), KINDS, "ana", {OWN: "hill", VALLEY: "valley"}.__getitem__)
    assert 0 == more
    assert [("objection", ["valley"], 2), ("passphrase", ["hill"], 1)] == [
        (each["kind"], each["told_by"], each["version"]) for each in found
    ]
    assert {"hash": "…", "day": "2026-11-24"} == found[1]["value"]
    assert "secret" not in repr(found)


def test_without_an_account_all_are_shown_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 3 == len(told_records(told(), KINDS, "", str)[0])
    monkeypatch.setattr(shown, "TOLD_MAX", 2)
    found, more = told_records(told(), KINDS, "", str)
    assert (2, 1) == (len(found), more)
