#!/usr/bin/env bash
# Go 1.26: Time.ZoneBounds answers an end that is not after the time, on December
# 31 of each leap year after the last change of the clock that is in the file of
# the time zone (2037 in most).
#
# Seen with 1.26.8, Europe/Berlin: for 2040-12-31 01:00 the bounds are 2040-10-28
# and 2040-12-31 01:00, so the time is not within them, and for 12:00 the end is
# 11 hours before. The documentation says that the zone ends at that bound. In
# 2039 and 2041 the end is that of the year, at which no clock is changed.
# The reason by the source: past the file's last change, tzset works the bounds
# out of a rule for each year, and ends a year after 365 days. A comment there
# says that this suffices for time.Date, its only caller; ZoneBounds is newer.
#
# Who goes from bound to bound, to find the changes of a clock, never passes that
# day, and must look whether the end is after the time.
#
# Needs Go, which fetches the version below where it has another.
# Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOTOOLCHAIN=go1.26.8 GOFLAGS=-mod=mod
cat > go.mod <<'MOD'
module finding

go 1.26.0
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"
	"time"
	_ "time/tzdata"
)

func main() {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	for year := 2037; year <= 2041; year++ {
		t := time.Date(year, time.December, 31, 12, 0, 0, 0, zone)
		_, end := t.ZoneBounds()
		fmt.Println(t.Format(time.DateTime), "ends", end.Format(time.DateTime), end.After(t))
	}
}
GO
go run . | tee found >&2
diff found - <<'WANT'
2037-12-31 12:00:00 ends 2038-01-01 01:00:00 true
2038-12-31 12:00:00 ends 2039-01-01 01:00:00 true
2039-12-31 12:00:00 ends 2040-01-01 01:00:00 true
2040-12-31 12:00:00 ends 2040-12-31 01:00:00 false
2041-12-31 12:00:00 ends 2042-01-01 01:00:00 true
WANT
