#!/bin/sh
# Limits of a Procomú node for the people of an openNDS router, at every level of fas_secure_enabled.
#
# Copy this file to /usr/lib/opennds/custombinauth.sh on the router. binauth_log.sh includes it, and has set:
#   $action, $custom (base64, through the person's browser), $2 client MAC, $6 client token
# It sets the session length (seconds), the rates (kbit/s) and the quotas (kilobytes), which binauth_log.sh prints.
# Nothing of $custom is ever run or expanded: a text of another form is refused. At the levels 3 and 4 no browser carries a
# permission, so all are refused that one brings. When a client leaves, it tells the node what the client used.
#
# Also as a program of its own, to try it: FASKEY=... custombinauth.sh auth_client MAC REDIR AGENT IP TOKEN CUSTOM

# openNDS 10.3 lets a client in without any limit when exitlevel is not 0, so a refused one gets one second instead, which
# ends at the router's next check, and until then next to nothing.
procomu_refuse () {
	session_length=1 upload_rate=0 download_rate=1 upload_quota=1 download_quota=1
	procomu_refused=1
}

procomu_hash () {
	printf '%s' "$1" | sha256sum | cut -c 1-64
}

# An option of /etc/config/opennds, if it has only letters, digits and these characters: . _ : / -
procomu_option () {
	if command -v uci > /dev/null 2>&1; then
		uci -q get "opennds.@opennds[0].$1" | sed -n 's/^\([0-9A-Za-z._:/-]\{1,200\}\)$/\1/p'
	else
		sed -n "s/^[[:space:]]*option[[:space:]]\{1,\}$1[[:space:]]\{1,\}'\{0,1\}\([0-9A-Za-z._:/-]\{1,200\}\)'\{0,1\}[[:space:]]*\$/\1/p" \
			/etc/config/opennds | head -n 1
	fi
}

procomu_faskey () {
	if [ -n "${FASKEY:-}" ]; then
		printf '%s' "$FASKEY"
	else
		procomu_option faskey
	fi
}

procomu_decode () {
	if command -v ndsctl > /dev/null 2>&1 && ! command -v base64 > /dev/null 2>&1; then
		ndsctl b64decode "$1"
	else
		printf '%s' "$1" | base64 -d 2> /dev/null
	fi
}

procomu_encode () {
	if command -v ndsctl > /dev/null 2>&1 && ! command -v base64 > /dev/null 2>&1; then
		ndsctl b64encode "$1"
	else
		printf '%s' "$1" | base64
	fi | tr -d '\n' | sed 's/+/%2B/g; s/\//%2F/g; s/=/%3D/g'
}

# A whole number of at most ten digits.
procomu_is_number () {
	case $1 in
		'' | *[!0-9]* | ???????????*) return 1 ;;
	esac
}

procomu_limits () {
	procomu_token=$1
	# openNDS gives it percent-encoded.
	procomu_custom=$(printf '%s' "$2" | sed 's/%2[bB]/+/g; s/%2[fF]/\//g; s/%3[dD]/=/g')
	case $procomu_custom in
		'' | *[!0-9A-Za-z+/=]*) return 1 ;;
	esac
	[ "${#procomu_custom}" -le 256 ] || return 1
	procomu_text=$(procomu_decode "$procomu_custom" | tr -d '\000' | tr -c '0-9a-z \n' '?') || return 1
	case $procomu_text in
		*'
'* | *'?'*) return 1 ;;
	esac
	procomu_seal=${procomu_text##* } procomu_open=${procomu_text% *}
	procomu_hid=$(procomu_hash "$procomu_token")
	procomu_key=$(procomu_faskey)
	[ -n "$procomu_key" ] || return 1
	[ "$procomu_seal" = "$(procomu_hash "$procomu_open $procomu_hid $procomu_key")" ] || return 1
	# The device and its tag are for the node, which gets them back when the client leaves.
	IFS=' ' read -r procomu_mark procomu_minutes procomu_up procomu_down procomu_up_kb procomu_down_kb \
		procomu_device procomu_tag procomu_more << TEXT
$procomu_open
TEXT
	[ "$procomu_mark" = procomu ] && [ -n "$procomu_device" ] && [ -n "$procomu_tag" ] && [ -z "$procomu_more" ] || return 1
	for procomu_number in "$procomu_minutes" "$procomu_up" "$procomu_down" "$procomu_up_kb" "$procomu_down_kb"; do
		procomu_is_number "$procomu_number" || return 1
	done
	session_length=$((procomu_minutes * 60))
	upload_rate=$procomu_up download_rate=$procomu_down
	upload_quota=$procomu_up_kb download_quota=$procomu_down_kb
	procomu_refused=0
}

# Tells the node what a client used. openNDS itself does that at the levels 3 and 4.
procomu_report () {
	procomu_level=$(procomu_option fas_secure_enabled)
	case ${procomu_level:-1} in
		0 | 1 | 2) ;;
		*) return ;;
	esac
	procomu_host=$(procomu_option fasremotefqdn)
	[ -n "$procomu_host" ] || procomu_host=$(procomu_option fasremoteip)
	procomu_payload=$(procomu_encode "method=$1, clientmac=$2, bytes_incoming=$3, bytes_outgoing=$4, session_start=$5, session_end=$6, token=$7, custom=$8")
	procomu_nobody=0000000000000000000000000000000000000000000000000000000000000000
	procomu_url="http://$procomu_host:$(procomu_option fasport)$(procomu_option faspath)"
	procomu_url="$procomu_url?auth_get=deauthed&gatewayhash=$procomu_nobody&payload=$procomu_payload"
	for procomu_pause in 2 15 60 300; do
		wget -q -T 5 -O /dev/null "$procomu_url" && return
		sleep "$procomu_pause"
	done
}

if [ "${1:-}" = auth_client ]; then
	procomu_limits "${6:-}" "${7:-}" || procomu_refuse
	case $0 in
		*custombinauth.sh)
			echo "$session_length $upload_rate $download_rate $upload_quota $download_quota"
			exit "$procomu_refused"
			;;
	esac
fi

case ${1:-} in
	*deauth) procomu_report "$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8" < /dev/null > /dev/null 2>&1 & ;;
esac
