#!/bin/sh
# Tells a Procomú node what the people of an openNDS router use, and ends those that the node names: it blocked them, their
# session or voucher is over, they are to get another limit, or the node did not let them in.
#
# Copy this file and custombinauth.sh to /usr/lib/opennds/ on the router, make both executable, and let cron run this one
# each minute (on OpenWrt in /etc/crontabs/root, then: /etc/init.d/cron enable; /etc/init.d/cron restart):
#
#   * * * * * /usr/lib/opennds/procomu-report.sh
#
# It reports twice in a minute, where ndsctl answers quickly; "procomu-report.sh once" reports once, and says what went wrong.
# Each client is one text of at most 360 characters, and a report holds at most 24:
#
#   TOKEN.DOWN.UP.RATE.CUSTOM   token (8 to 64 of 0-9 a-f), kilobytes to and from the client, kbit/s to it (0: no limit),
#                               what the node gave with the client (40 to 256 of A-Z a-z 0-9 - _), or "none"
#
# Report and answer are sealed with the router's faskey, and belong together by a nonce. An answer that has another form,
# another seal, or a client that was not reported is not acted on.
set -u
umask 077
export LC_ALL=C PATH="$PATH:/usr/sbin:/usr/bin:/sbin:/bin"

procomu_here=${0%/*}
[ -r "$procomu_here/custombinauth.sh" ] || procomu_here=/usr/lib/opennds
# Its functions only: without a method as its first argument it does nothing.
# shellcheck source=node/gateways/opennds/custombinauth.sh
. "$procomu_here/custombinauth.sh"

procomu_dir=${PROCOMU_DIR:-/tmp/procomu-report}
procomu_pause=27
procomu_batch=24
procomu_no_nonce=00000000000000000000000000000000

procomu_say () {
	echo "procomu-report: $1" >&2
}

# Whether the text has so many hexadecimal digits, and nothing else.
procomu_is_hex () {
	case $1 in
		'' | *[!0-9a-f]*) return 1 ;;
	esac
	[ "${#1}" -ge "$2" ] && [ "${#1}" -le "$3" ]
}

# The name of the router and a client that is online, in each line. Fails when ndsctl is busy, or its text is not what it should be.
procomu_clients () {
	ndsctl json 2> /dev/null < /dev/null | awk '
		function is_made_of(text, set, least, most) {
			return length(text) >= least && length(text) <= most && text !~ ("[^" set "]")
		}
		function whole(text) {
			sub(/\..*$/, "", text)
			return is_made_of(text, "0-9", 1, 15) ? text : ""
		}
		function begin() { token = state = custom = down = up = rate = called = "" }
		NR == 1 { begin(); is_json = $0 ~ /^[ \t]*\{[ \t]*$/ }
		/\{[ \t]*$/ { begin() }
		{
			if (split($0, part, "\"") != 5 || part[1] !~ /^[ \t]*$/ || part[3] != ":" || part[5] !~ /^,?[ \t\r]*$/) {
				if ($0 ~ /^[ \t]*\},?[ \t]*$/) {
					gsub(/%2[bB]/, "+", custom); gsub(/%2[fF]/, "/", custom); gsub(/%3[dD]/, "=", custom)
					gsub(/\+/, "-", custom); gsub(/\//, "_", custom); sub(/=+$/, "", custom)
					down = whole(down); up = whole(up); rate = rate == "null" ? 0 : whole(rate)
					# Without a permission nobody hides behind what else they sent.
					if (!is_made_of(custom, "0-9A-Za-z_-", 40, 256)) { custom = "none"; down = up = rate = 0 }
					if (state == "Authenticated" && is_made_of(token, "0-9a-f", 8, 64) && down != "" && up != "" &&
						is_made_of(rate, "0-9", 1, 10))
						print (is_made_of(called, "0-9A-Za-z%._-", 1, 200) ? called : "-"), token "." down "." up "." rate "." custom
					begin()
				}
				next
			}
			if (part[2] == "gatewayname" && called == "") called = part[4]
			if (part[2] == "token" && token == "") token = part[4]
			if (part[2] == "state" && state == "") state = part[4]
			if (part[2] == "custom" && custom == "") custom = part[4]
			# After `custom`, which comes from elsewhere: the last one is the router'"'"'s own.
			if (part[2] == "download_this_session") down = part[4]
			if (part[2] == "upload_this_session") up = part[4]
			if (part[2] == "download_rate_limit_threshold") rate = part[4]
		}
		END { exit !is_json }
	' > "$procomu_lock/clients"
}

# Only with a program that checks certificates, where the node has one.
procomu_fetch () {
	if command -v uclient-fetch > /dev/null 2>&1; then
		uclient-fetch -q -T 10 -O - --post-data="$1" "$procomu_url"
		return
	fi
	procomu_help=$(wget --help 2>&1)
	case $procomu_url$procomu_help in
		https:*BusyBox*)
			procomu_say "this wget checks no certificate: install uclient-fetch or wget-ssl"
			return 1
			;;
		*--tries*) wget -q -t 1 -T 10 -O - --post-data="$1" "$procomu_url" ;;
		*) wget -q -T 10 -O - --post-data="$1" "$procomu_url" ;;
	esac
}

# Reads the answer to the clients $1, asked with the nonce $2: sets procomu_word, procomu_next and procomu_ended.
procomu_read () {
	procomu_ended=''
	{
		read -r procomu_word procomu_next procomu_seal procomu_more || return 1
		case $procomu_word in ok | again) ;; *) return 1 ;; esac
		procomu_is_hex "$procomu_next" 32 32 && procomu_is_hex "$procomu_seal" 64 64 && [ -z "$procomu_more" ] || return 1
		while read -r procomu_verb procomu_token procomu_more; do
			[ "$procomu_verb" = end ] && [ -z "$procomu_more" ] && procomu_is_hex "$procomu_token" 8 64 || return 1
			case ",$1" in *",$procomu_token."*) ;; *) return 1 ;; esac
			procomu_ended="$procomu_ended $procomu_token"
		done
	} < "$procomu_lock/answer"
	[ "$procomu_seal" = "$(procomu_hash "$procomu_word $2 $procomu_next$procomu_ended $procomu_key")" ]
}

procomu_end () {
	for procomu_try in 1 2 3 4 5; do
		case $(ndsctl deauth "$1" 2>&1 < /dev/null) in
			*locked*) sleep 1 ;;
			*) return ;;
		esac
	done
}

# Sends the clients $1, again if the nonce is too old, and ends those that the answer names.
procomu_send () {
	for procomu_try in 1 2; do
		procomu_nonce=$(head -c 32 "$procomu_dir/nonce" 2> /dev/null)
		procomu_is_hex "$procomu_nonce" 32 32 || procomu_nonce=$procomu_no_nonce
		procomu_seal=$(procomu_hash "report $procomu_nonce $procomu_name $1 $procomu_key")
		procomu_encoded=$(printf '%s' "$procomu_name" | sed 's/%/%25/g')
		procomu_fetch "report=1&nonce=$procomu_nonce&seal=$procomu_seal&name=$procomu_encoded&clients=$1" < /dev/null 2> /dev/null |
			head -c 4000 | tr -d '\000' > "$procomu_lock/answer"
		if ! procomu_read "$1" "$procomu_nonce"; then
			procomu_say "no valid answer from $procomu_url"
			return 1
		fi
		printf '%s' "$procomu_next" > "$procomu_dir/nonce"
		[ "$procomu_word" = again ] || break
	done
	for procomu_each in $procomu_ended; do
		procomu_end "$procomu_each"
	done
}

procomu_round () {
	procomu_try=0
	until procomu_clients; do
		procomu_try=$((procomu_try + 1))
		if [ "$procomu_try" -ge 3 ]; then
			procomu_say "ndsctl json does not answer"
			return 1
		fi
		sleep 2
	done
	procomu_some='' procomu_count=0 procomu_sent=0
	while read -r procomu_name procomu_line; do
		[ "$procomu_name" = - ] && procomu_name=''
		procomu_some="$procomu_some${procomu_some:+,}$procomu_line" procomu_count=$((procomu_count + 1))
		if [ "$procomu_count" -ge "$procomu_batch" ]; then
			procomu_send "$procomu_some" || return 1
			procomu_some='' procomu_count=0 procomu_sent=1
		fi
	done < "$procomu_lock/clients"
	read -r procomu_name procomu_line < "$procomu_lock/clients"
	[ "$procomu_name" = - ] && procomu_name=''
	# Also without clients: so the node knows that this router reports.
	if [ -n "$procomu_some" ] || [ "$procomu_sent" = 0 ]; then
		procomu_send "$procomu_some"
	fi
}

# One at a time. A process that was killed leaves its lock.
procomu_take_lock () {
	mkdir -p "$procomu_dir" || return 1
	procomu_lock=$procomu_dir/lock
	mkdir "$procomu_lock" 2> /dev/null && return
	procomu_other=$(head -c 10 "$procomu_lock/pid" 2> /dev/null)
	procomu_is_number "$procomu_other" && grep -q procomu-report "/proc/$procomu_other/cmdline" 2> /dev/null && return 1
	rm -rf "$procomu_lock"
	mkdir "$procomu_lock" 2> /dev/null
}

procomu_main () {
	procomu_key=$(procomu_faskey)
	procomu_level=$(procomu_option fas_secure_enabled)
	procomu_host=$(procomu_option fasremotefqdn)
	[ -n "$procomu_host" ] || procomu_host=$(procomu_option fasremoteip)
	procomu_place="$procomu_host:$(procomu_option fasport)$(procomu_option faspath)"
	case $procomu_level in
		3 | 4) procomu_url=https://$procomu_place ;;
		*) procomu_url=http://$procomu_place ;;
	esac
	if [ -z "$procomu_key" ] || [ -z "$procomu_host" ]; then
		procomu_say "/etc/config/opennds has no faskey, or no fasremoteip and no fasremotefqdn"
		return 1
	fi
	procomu_began=$(date +%s)
	procomu_round
	procomu_done=$?
	# While ndsctl works, openNDS lets clients in without limits: where it is slow, it is asked once a minute only.
	if [ "${1:-}" = once ] || [ $(($(date +%s) - procomu_began)) -gt 10 ]; then
		return "$procomu_done"
	fi
	sleep "$procomu_pause"
	procomu_round
}

procomu_take_lock || exit 0
echo "$$" > "$procomu_lock/pid"
trap 'rm -rf "$procomu_lock"' EXIT
trap 'exit 1' HUP INT TERM
procomu_main "${1:-}"
