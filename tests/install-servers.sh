#!/bin/sh
# The programs that tests drive and pip cannot install. What cannot be had is named; its tests then
# skip, or fail where CI is set.
set -u

want() { # want COMMAND PACKAGE...
  command -v "$1" >/dev/null 2>&1 && return 0
  missing="$missing $1"
  shift
  packages="$packages $*"
}

missing="" packages=""
want chromium chromium
want redis-server redis-server
want redis-sentinel redis-sentinel
want redis-cli redis-tools
want memcached memcached
want mariadbd mariadb-server
want openssl openssl
[ -x "$(command -v initdb || ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -1)" ] ||
  want initdb postgresql
[ -n "$(find /usr/lib /lib -name 'libtokyocabinet.so.9*' 2>/dev/null | head -1)" ] ||
  want libtokyocabinet libtokyocabinet9
[ -n "$packages" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing$packages"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages; } >/dev/null && exit 0
fi
echo "NOT TO BE HAD:$missing (their tests are skipped)" >&2
[ -z "${CI:-}" ]
