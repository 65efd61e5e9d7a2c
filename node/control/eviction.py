"""Which devices of an account make room for one more."""

from node.control.effective_policy import EffectivePolicy
from node.sessions import state as session_state
from node.sessions.device_limit import ActiveDevice, DeviceLimitReached, device_to_evict
from node.units import MacAddress, Monotonic


def to_evict(
    policy: EffectivePolicy,
    mac: MacAddress,
    most: int,
    instead_of: MacAddress | None,
    now: Monotonic,
) -> tuple[MacAddress, ...] | DeviceLimitReached:
    """The devices whose session ends so that `mac` is within the account's limit of `most`. Nothing for a blocked device."""
    session_table, joining = policy.session_table, policy.active_ruleset.ruleset.joining
    if isinstance(session_table.state(mac), session_state.Blocked):
        return ()
    others = (each for each in session_table.admitted_of(policy.account_of(mac)) if each != mac)
    occupants = (ActiveDevice(each, session_table.idle_ms(each, now)) for each in others)
    return device_to_evict(occupants, most, joining.when_full, instead_of)
