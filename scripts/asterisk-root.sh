#!/bin/sh
# Makes a root of Debian unstable with Asterisk in a folder, for machines whose own release has none (Debian's stable ones):
#
#   ASTERISK_ROOT=$(sudo scripts/asterisk-root.sh) npm test
#
# prints the folder. Needs root, debootstrap and one minute; done again, it only prints. MIRROR and FOLDER may be given.
set -eu
folder=${FOLDER:-/var/cache/porteiro-asterisk}
mirror=${MIRROR:-http://deb.debian.org/debian}

# Asterisk's own version is the proof that all of it is there
if ! chroot "$folder" asterisk -V >/dev/null 2>&1; then
  rm -rf "$folder"
  debootstrap --variant=minbase sid "$folder" "$mirror" >&2
  cp /etc/resolv.conf "$folder/etc/resolv.conf"
  # as this machine reaches its mirror: proxies, if any
  cp /etc/apt/apt.conf.d/*proxy* "$folder/etc/apt/apt.conf.d/" 2>/dev/null || true
  # nothing is to be started there
  printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d"
  chmod +x "$folder/usr/sbin/policy-rc.d"
  DEBIAN_FRONTEND=noninteractive chroot "$folder" \
    apt-get install -y -qq --no-install-recommends asterisk asterisk-core-sounds-en-gsm >&2
  chroot "$folder" asterisk -V >&2
fi
echo "$folder"
