#!/usr/bin/env bash
# Linux 6.18: a control group to which "1" was once written in cgroup.kill kills
# every process that is started in it by clone3 with CLONE_INTO_CGROUP, for good.
#
# Seen on 6.18: in a new group such a process runs. After one cgroup.kill, with
# no process in the group at that time, each one is ended by SIGKILL before its
# first instruction. One that is started outside and moved into the same group by
# cgroup.procs runs. cgroups(7) and the kernel's documentation say that the write
# kills the processes that are in the group.
# The reason by the source: a fork compares how often the group was killed before
# and after it, and takes the number before from the group of the parent.
#
# Who uses groups again must make a new one after a kill. Note that os/exec shows
# no error: the process was started.
#
# Needs root, a writable hierarchy of version 2, and Go (standard library only).
# Exits 0 while this is so, 1 when it has changed, and 2 where it cannot be tried.
set -euo pipefail

mount=$(awk '{ for (i = 7; i < NF; i++) if ($i == "-" && $(i+1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo)
own=$(sed -n 's/^0:://p' /proc/self/cgroup)
group=$mount${own%/}/finding-$$
if [[ -z $mount ]] || ! mkdir "$group" 2>/dev/null; then
  echo "no group can be made in ${mount:-version 2, which is mounted nowhere}" >&2
  exit 2
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"; rmdir "$group"' EXIT
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
	"os/exec"
	"syscall"
)

func start(sys *syscall.SysProcAttr, args ...string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = sys
	return cmd.Run()
}

func main() {
	group, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	into := func() error {
		return start(&syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}, "true")
	}
	fmt.Println("started in it before:", into())
	if err := os.WriteFile(os.Args[1]+"/cgroup.kill", []byte("1"), 0); err != nil {
		panic(err)
	}
	fmt.Println("started in it after: ", into())
	fmt.Println("moved into it after: ", start(nil, "sh", "-c", `echo $$ >"$0/cgroup.procs" && true`, os.Args[1]))
}
GO
uname -r
GOFLAGS=-mod=mod GOWORK=off go run . "$group" | tee out
diff out - <<'WANT'
started in it before: <nil>
started in it after:  signal: killed
moved into it after:  <nil>
WANT
