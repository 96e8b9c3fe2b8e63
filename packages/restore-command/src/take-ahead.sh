# shellcheck shell=sh
# For the launchers of archive-get, which read this file: hands a segment over that was fetched ahead,
# without starting Node.js. "ahead.ts" leaves what this goes by.

newline='
'
asked=
name=
destination=

# Puts the question into words, as far as it decides which archive is meant: the run of the server, the
# variables and the options. It ends up in a file, so there is none if an option may be a secret.
word_question() {
  given=
  for word do
    given=$given$name$newline
    name=$destination
    destination=$word
  done
  case $given in *key* | *secret* | *passphrase* | *token* | *sse-c* | *headers*) return ;; esac
  [ -r postmaster.pid ] && [ -r /proc/sys/kernel/random/boot_id ] && [ -n "${HOME-}" ] || return
  read -r boot </proc/sys/kernel/random/boot_id
  { read -r postmaster && read -r _ && read -r started; } <postmaster.pid || return
  asked="1 $boot $postmaster $started $PWD$newline"
  for variable in HOME TSBK_CONFIG WALG_CONFIG_PATH TSBK_STATE_DIRECTORY TSBK_GET_AHEAD \
    TSBK_FILE_PREFIX WALG_FILE_PREFIX WALE_FILE_PREFIX TSBK_S3_PREFIX WALG_S3_PREFIX WALE_S3_PREFIX \
    TSBK_STORAGE_PREFIX WALG_STORAGE_PREFIX TSBK_S3_REGION AWS_REGION AWS_DEFAULT_REGION \
    TSBK_S3_ENDPOINT AWS_ENDPOINT AWS_ENDPOINT_URL_S3 AWS_ENDPOINT_URL TSBK_S3_PROFILE AWS_PROFILE \
    TSBK_S3_CONFIG_FILE AWS_CONFIG_FILE; do
    eval "asked=\$asked\$variable=\${$variable-}\$newline"
  done
  asked=$asked$given
}

# Whether a settings file, or the folder in which one may have been exchanged, is newer than the record.
# An option's value is looked at as if it were a path: most are none, and what is not there is not newer.
settings_changed() {
  for word in "$@" "${TSBK_CONFIG-}" "${WALG_CONFIG_PATH-}" "$HOME/." "$HOME/.tsbk.json" \
    "$HOME/.tsbk.yaml" "$HOME/.walg.json" "$HOME/.walg.yaml" "$HOME/.walg.yml"; do
    word=${word#*=}
    [ "$word" -nt "$record" ] && return 0
    case $word in /*) [ "${word%/*}" -nt "$record" ] && return 0 ;; esac
  done
  return 1
}

# Moves into place what the program fetched ahead, whole and verified, for this very question: that
# costs a hundredth of starting Node.js. Whatever is not as expected is left to the program.
take_ahead() {
  ahead=${TSBK_STATE_DIRECTORY:-pg_stat_tmp/tsbk}/ahead
  record=$ahead/asked
  case $name in *[!0-9A-F]*) return 1 ;; esac
  [ -n "$asked" ] && [ "${#name}" -eq 24 ] && [ -f "$record" ] && [ ! -e "$destination" ] || return 1
  [ -O "${ahead%/*}" ] && [ -O "$ahead" ] && [ -O "$record" ] || return 1
  settings_changed "$@" && return 1
  recorded=
  {
    read -r ring way
    while IFS= read -r line; do recorded=$recorded$line$newline; done
  } <"$record"
  [ "$recorded" = "$asked" ] || return 1
  case $ring in '' | *[!0-9a-f]*) return 1 ;; esac
  entry=$ahead/$ring/$name
  # One that is on its way will be here before Node.js would be.
  tries=0
  while [ ! -f "$entry" ]; do
    set -- "$entry".*
    [ -e "$1" ] && [ "$tries" -lt 20 ] && sleep 0.02 || return 1
    tries=$((tries + 1))
  done
  if [ "$way" != rename ]; then
    # From another file system `mv` copies, and a copy that ends half-way must not lie there.
    mv -f -- "$entry" "$destination.tsbk-$$-00000000" || return 1
    entry=$destination.tsbk-$$-00000000
  fi
  mv -f -- "$entry" "$destination"
}
