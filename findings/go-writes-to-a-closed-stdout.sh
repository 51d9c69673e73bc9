#!/usr/bin/env bash
# Go 1.26: a program that is started without a stdout (`program >&-`) writes to it
# without an error, and exits with 0.
#
# Before any code of the program runs, Go's runtime opens /dev/null for each of the
# descriptors 0, 1 and 2 that is closed. So a write to os.Stdout succeeds, and what
# was written is lost. Programs in C get EBADF, and tell of it: `echo x >&-`.
# The descriptor is open for reading and writing, exactly as that of Python's
# subprocess.DEVNULL is (fdinfo shows the same). So the program cannot tell "closed"
# from "not wanted", and a check that refuses the one refuses the other.
#
# Who needs the exit code as a proof of the output must not close stdout. /dev/full
# and a pipe whose reader has gone are told as errors.
#
# Needs Linux and Go (standard library only).
# Exits 0 while this is so, 1 when it has changed, and 2 where it cannot be tried.
set -euo pipefail

[[ -r /proc/self/fdinfo/1 ]] && command -v go >/dev/null || { echo "this needs Linux and Go" >&2; exit 2; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'MOD'
module finding
go 1.22
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	_, err := fmt.Println("lost")
	to, _ := os.Readlink("/proc/self/fd/1")
	info, _ := os.ReadFile("/proc/self/fdinfo/1")
	_, flags, _ := strings.Cut(string(info), "flags:")
	flags, _, _ = strings.Cut(strings.TrimSpace(flags), "\n")
	fmt.Fprintf(os.Stderr, "error: %v, stdout: %s, read and write: %v\n", err, to, strings.HasSuffix(flags, "2"))
}
GO
CGO_ENABLED=0 go build -o program .
said=$(./program 2>&1 >&- || echo "exit code $?")
echo "$said"
[[ $said == "error: <nil>, stdout: /dev/null, read and write: true" ]]
