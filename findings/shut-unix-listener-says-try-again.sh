#!/usr/bin/env bash
# Linux 6.18: an accept that does not wait says EAGAIN for ever on a listening Unix
# socket that was shut down for reading, where one that waits says EINVAL.
#
# shutdown(SHUT_RD) on a listening Unix socket is of use to end a server without losing
# anybody: connect is refused from then on, and accept still answers those that have
# connected before. When the queue is empty, a blocking accept says EINVAL. But with
# O_NONBLOCK, as every program with an event loop has it, accept says EAGAIN, although
# nobody can come any more; and poll says that the socket can be read, for ever. So Go's
# Accept waits for a client that cannot come.
# The reason by the source: unix_accept makes EINVAL only of an error of 0, and
# skb_recv_datagram without waiting looks at the queue and not at the shutdown.
#
# Who uses this must wake Accept by a deadline, and take EAGAIN for the end.
#
# Needs Linux and Go (standard library only).
# Exits 0 while this is so, 1 when it has changed, and 2 where it cannot be tried.
set -euo pipefail

[[ $(uname -s) == Linux ]] || { echo "this is of Linux" >&2; exit 2; }
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
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	l := must(net.ListenUnix("unix", &net.UnixAddr{Name: "s", Net: "unix"}))
	must(net.Dial("unix", "s"))
	raw := must(l.SyscallConn())
	raw.Control(func(fd uintptr) { must(0, syscall.Shutdown(int(fd), syscall.SHUT_RD)) })
	_, err := net.Dial("unix", "s")
	fmt.Println("connect:", errors.Is(err, syscall.ECONNREFUSED))
	must(l.Accept())
	fmt.Println("the one before is accepted")
	raw.Control(func(fd uintptr) {
		_, _, err := syscall.Accept4(int(fd), syscall.SOCK_NONBLOCK)
		fmt.Println("accept that does not wait:", err)
		must(0, syscall.SetNonblock(int(fd), false))
		_, _, err = syscall.Accept4(int(fd), 0)
		fmt.Println("accept that waits:", err)
		must(0, syscall.SetNonblock(int(fd), true))
	})
	must(0, l.SetDeadline(time.Now().Add(300*time.Millisecond)))
	_, err = l.Accept()
	fmt.Println("Go's Accept:", errors.Is(err, os.ErrDeadlineExceeded))
}
GO
want='connect: true
the one before is accepted
accept that does not wait: resource temporarily unavailable
accept that waits: invalid argument
Go'"'"'s Accept: true'
got=$(GOFLAGS=-mod=mod GOWORK=off go run .) || { echo "$got"; exit 2; }
echo "$got"
[[ $got == "$want" ]] || { echo "it has changed" >&2; exit 1; }
