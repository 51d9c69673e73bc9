#!/usr/bin/env bash
# A Go program that imports charm.land/lipgloss/v2 (2.0.6) starts `tmux info` before its
# main, in a terminal of tmux, also where it never calls the package.
#
# Seen: the package variable lipgloss.Writer is made by colorprofile.NewWriter, which
# looks for the colours of stdout. Where TMUX is set, and TERM does not promise them, it
# runs tmux, and waits for it. So one command that draws with lipgloss makes every
# command of its program slower there, and lets each of them start a process.
# bubbletea (2.1.1) does not import it.
#
# Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

program() { # program NAME IMPORT
  mkdir "$1"
  printf 'package main\n\nimport _ "%s"\n\nfunc main() {}\n' "$2" >"$1/main.go"
  (cd "$1" && go mod init example.com/program && go get "$2@$3" && go build -o ../"$1.bin" .) >/dev/null 2>&1
}
program lipgloss charm.land/lipgloss/v2 v2.0.6
program bubbletea charm.land/bubbletea/v2 v2.1.1

mkdir bin
printf '#!/bin/sh\necho tmux "$@" >>"%s/ran"\n' "$dir" >bin/tmux
chmod +x bin/tmux

started() { # started PROGRAM: what it has started, on a terminal of tmux
  rm -f ran
  PATH="$dir/bin:$PATH" TMUX=/tmp/none,1,0 TERM=screen-256color script -qec "./$1" /dev/null >/dev/null </dev/null
  cat ran 2>/dev/null || true
}

lipgloss=$(started ./lipgloss.bin)
bubbletea=$(started ./bubbletea.bin)
echo "importing lipgloss starts: ${lipgloss:-nothing}"
echo "importing bubbletea starts: ${bubbletea:-nothing}"
[ "$lipgloss" = "tmux info" ] && [ -z "$bubbletea" ]
