#!/bin/sh
# Makes a root of Debian unstable with Asterisk in a folder, for machines whose own release has none (Debian's stable ones):
#
#   ASTERISK_ROOT=$(sudo scripts/asterisk-root.sh) npm test
#
# prints the folder. Needs root, debootstrap and one minute; done again, it only prints. ASTERISK_ROOT_FOLDER and
# ASTERISK_ROOT_MIRROR may be given.
set -eu
folder=${ASTERISK_ROOT_FOLDER:-/var/cache/porteiro-asterisk}
mirror=${ASTERISK_ROOT_MIRROR:-http://deb.debian.org/debian}
ours=$folder/.made-by-asterisk-root

# Asterisk's own version is the proof that all of it is there
if ! chroot "$folder" asterisk -V >/dev/null 2>&1; then
  # what is there was begun here and not finished, or is nothing of ours to remove
  if [ -e "$folder" ] && [ ! -e "$ours" ]; then
    echo "$folder is there and was not made by this script" >&2
    exit 1
  fi
  rm -rf --one-file-system "$folder"
  mkdir -p "$folder"
  touch "$ours"
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
