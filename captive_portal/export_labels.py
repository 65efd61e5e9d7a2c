"""Readable, translatable labels for the fields of `AccountService.own_data` and its JSON file."""

from collections.abc import Mapping

from node.governance.translations import N_

EXPORT_LABELS: Mapping[str, str] = {
    "account": N_("Account"),
    "answer": N_("Answer"),
    "answered_day": N_("Date of the answer"),
    "asked": N_("Request to a member"),
    "bound_day": N_("Date joined"),
    "bytes_by_day": N_("Bytes each day"),
    "contests": N_("My objections to limits"),
    "day": N_("Day"),
    "device": N_("Device"),
    "devices": N_("Devices"),
    "devices_max": N_("Devices at once"),
    "group": N_("Group"),
    "guests": N_("Guests I let in"),
    "has_passphrase": N_("Has a passphrase"),
    "host": N_("Member asked"),
    "introduced_by": N_("Let in by"),
    "issued_day": N_("Date issued"),
    "lasts_ms": N_("Lasts (milliseconds)"),
    "left_ms": N_("Time left (milliseconds)"),
    "mac": N_("Hardware address"),
    "name": N_("Name"),
    "number": N_("Number"),
    "removed_because": N_("Why it was blocked"),
    "rule": N_("Rule"),
    "seconds_left": N_("Seconds left"),
    "state": N_("State"),
    "terms_accepted": N_("Accepted terms"),
    "text": N_("Text"),
    "used_day": N_("Date of first use"),
    "voucher": N_("Printed code"),
    "way": N_("How it joined"),
}
