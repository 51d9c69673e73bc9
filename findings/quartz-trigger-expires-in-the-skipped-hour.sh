#!/usr/bin/env bash
# github.com/reugn/go-quartz 0.15.2: a cron trigger for minutes of an hour that a
# change to summer time skips is due an hour too early, and then expires: its
# job never runs again.
#
# Seen in America/New_York on 2026-03-08, where 02:00 is followed by 03:00, with
# "0 */15 2 * * *": from 00:00 on the next times are 01:00 and 01:15, which the
# expression does not name, and after those "trigger has expired". A scheduler
# does not put a job back into its queue whose trigger answers that error, and
# logs at the level info that it has left. On the day before, the times are 02:00,
# 02:15, 02:30 and 02:45, and it goes on for ever.
# The reason by the source: NextFireTime makes a few candidates, which are read as
# an hour earlier where there is no such time, and where none of them is later
# than the time before it takes the trigger for ended.
#
# Needs Go and the module proxy.
# Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod
cat > go.mod <<'MOD'
module finding

go 1.26.0

require github.com/reugn/go-quartz v0.15.2
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"
	"time"
	_ "time/tzdata"

	"github.com/reugn/go-quartz/quartz"
)

func main() {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		panic(err)
	}
	for day := 7; day <= 8; day++ {
		trigger, err := quartz.NewCronTriggerWithLoc("0 */15 2 * * *", zone)
		if err != nil {
			panic(err)
		}
		at := time.Date(2026, time.March, day, 0, 0, 0, 0, zone).UnixNano()
		for range 4 {
			if at, err = trigger.NextFireTime(at); err != nil {
				fmt.Println(err)
				break
			}
			fmt.Println(time.Unix(0, at).In(zone).Format("01-02 15:04 MST"))
		}
	}
}
GO
go mod download >&2
go run . | tee found >&2
diff found - <<'WANT'
03-07 02:00 EST
03-07 02:15 EST
03-07 02:30 EST
03-07 02:45 EST
03-08 01:00 EST
03-08 01:15 EST
trigger has expired
WANT
