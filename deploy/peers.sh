#!/usr/bin/env bash
# The programs that the interop tests and the benchmarks talk to, and those that read the files of deploy/, from Debian.
# No service is started by their installation. Does nothing when all are there; without root it prints the command.
set -euo pipefail

# baresip-core is the program without its windows; libc6-dev is what gcc needs to build anything; systemd is here for
# its systemd-analyze.
packages=(
  sip-tester libnet-sip-perl libio-socket-ssl-perl baresip-core kamailio
  tshark prometheus systemd espeak-ng strace gcc libc6-dev
)
install=(apt-get install --yes --no-install-recommends)

say() { printf 'peers: %s\n' "$*" >&2; }

if ! command -v apt-get > /dev/null || ! command -v dpkg-query > /dev/null; then
  say "this is no Debian or Ubuntu; install by hand what these packages hold: ${packages[*]}"
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2> /dev/null || true)
  case $status in ii*) ;; *) missing+=("$package") ;; esac
done
if [ ${#missing[@]} -eq 0 ]; then
  say "all there: ${packages[*]}"
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  say "needs root; run:"
  echo "sudo ${install[*]} ${missing[*]}"
  exit 1
fi

# kamailio and prometheus would start as services: invoke-rc.d asks this file first, 101 means "no".
policy=${POLICY_RC_D:-/usr/sbin/policy-rc.d}
saved=$policy.before-peers
restore() {
  rm -f "$policy"
  if [ -e "$saved" ]; then mv "$saved" "$policy"; fi
}
if [ ! -e "$saved" ] && [ -e "$policy" ]; then mv "$policy" "$saved"; fi
trap restore EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
printf '#!/bin/sh\nexit 101\n' > "$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
say "installing ${missing[*]}"
if ! "${install[@]}" --quiet=2 "${missing[@]}"; then
  say "not found in the package lists as they are; reading them anew"
  apt-get update --quiet=2
  "${install[@]}" --quiet=2 "${missing[@]}"
fi
say "done"
