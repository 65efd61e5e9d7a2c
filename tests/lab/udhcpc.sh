#!/bin/sh
# Script of udhcpc: configures the lease's address and route, and writes what the server offered to a file.
set -eu
# shellcheck disable=SC2154 # udhcpc sets interface, ip, mask, router, dns and lease
case "$1" in
deconfig)
    ip -4 addr flush dev "$interface" scope global 2>/dev/null || true
    ip link set "$interface" up
    ;;
bound | renew)
    ip addr replace "$ip/$mask" dev "$interface" valid_lft forever
    metric=$((100 + $(cat "/sys/class/net/$interface/ifindex")))
    [ -z "${router:-}" ] || ip route replace default via "${router%% *}" dev "$interface" metric "$metric"
    printf 'ip=%s\nrouter=%s\ndns=%s\nlease=%s\nopt114=%s\n' \
        "$ip" "${router:-}" "${dns:-}" "${lease:-}" "${opt114:-}" >"$LAB_LEASE.new"
    mv "$LAB_LEASE.new" "$LAB_LEASE"
    ;;
esac
