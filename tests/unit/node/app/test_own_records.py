"""A person sees what nodes tell each other about them, and nothing that opens a door."""

from node.accounts.registry_record import RegistryRecord
from node.app.own_records import OF_ACCOUNT, OF_DEVICE, own_records
from node.units import AccountId

ANA = AccountId("ana")


def test_all_kinds_about_an_account_and_its_devices_are_shown_without_a_hash() -> None:
    def effective(kind: str, key: str) -> RegistryRecord:
        return RegistryRecord(kind, key, 3, "2027-12-29", {"hash": "scrypt:1", "day": "2026-11-24"})

    told = own_records(effective, ANA, ["d1", "d2"])
    assert {(kind, "ana") for kind in OF_ACCOUNT} | {
        (kind, device) for kind in OF_DEVICE for device in ("d1", "d2")
    } == {(each["told_kind"], each["key"]) for each in told}
    assert {'{"day":"2026-11-24"}'} == {each["said"] for each in told}
    assert {"2027-12-29"} == {each["until"] for each in told}


def test_what_nobody_told_is_not_shown() -> None:
    assert () == own_records(lambda _kind, _key: None, None, ["d1"])
    voucher = own_records(
        lambda kind, key: RegistryRecord(kind, key, 1, "", {}), AccountId("voucher-aaaaaaaaaaaa"), ()
    )
    assert ("voucher", "aaaaaaaaaaaa") == (voucher[-1]["told_kind"], voucher[-1]["key"])
