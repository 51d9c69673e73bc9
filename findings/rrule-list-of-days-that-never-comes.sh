#!/usr/bin/env bash
# rrule 2.8.1 and rrule-rust 3.1.1 (npm), and github.com/teambition/rrule-go 1.8.2: a rule
# for the first Monday and every Tuesday of a month is never due, without an error.
#
# Seen with FREQ=MONTHLY;BYDAY=...;COUNT=5 from Monday, 2026-01-05, on. "1MO" has five
# dates, and "TU" has five. "1MO,TU" has none. "MO,2MO", every Monday and the second one, is
# the second one alone. RFC 5545 says that BYDAY is a list of days, each of which may have a
# number. ical.js 2.2.1 and rrule-temporal 2.2.8 answer both days.
# The reason by the source: the days with a number and those without one are kept as two
# lists, and a date must be in each that is not empty. All three follow python-dateutil.
#
# Two rules, one for each kind of day, do what is meant.
#
# Needs Go, Node.js and npm. Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-audit --no-fund --ignore-scripts --loglevel=error \
  rrule@2.8.1 rrule-rust@3.1.1 rrule-temporal@2.2.8 ical.js@2.2.1 >/dev/null
cat >go.mod <<'MOD'
module finding

go 1.26.0

require github.com/teambition/rrule-go v1.8.2
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/teambition/rrule-go"
)

func main() {
	for _, days := range os.Args[1:] {
		set, err := rrule.StrToRRuleSet("DTSTART:20260105T090000Z\nRRULE:FREQ=MONTHLY;BYDAY=" + days + ";COUNT=5")
		if err != nil {
			panic(err)
		}
		fmt.Printf("rrule-go %s:", days)
		for _, t := range set.All() {
			fmt.Print(t.Format(" 1/2"))
		}
		fmt.Println()
	}
}
GO
cat >dates.mjs <<'JS'
import rrule from 'rrule';
import { RRuleSet } from 'rrule-rust';
import { RRuleTemporal } from 'rrule-temporal';
import ICAL from 'ical.js';

const start = 'DTSTART:20260105T090000Z\nRRULE:';
const libraries = {
  rrule: (rule) => rrule.rrulestr(start + rule).all().map((d) => `${d.getUTCMonth() + 1}/${d.getUTCDate()}`),
  'rrule-rust': (rule) => RRuleSet.fromString(start + rule).all().map((d) => `${d.month}/${d.day}`),
  'rrule-temporal': (rule) => new RRuleTemporal({ rruleString: start + rule }).all().map((d) => `${d.month}/${d.day}`),
  'ical.js': (rule) => {
    const dates = ICAL.Recur.fromString(rule).iterator(ICAL.Time.fromString('2026-01-05T09:00:00Z'));
    const found = [];
    for (let d = dates.next(); d; d = dates.next()) found.push(`${d.month}/${d.day}`);
    return found;
  },
};
for (const [name, dates] of Object.entries(libraries)) {
  for (const days of process.argv.slice(2)) {
    console.log([`${name} ${days}:`, ...dates(`FREQ=MONTHLY;BYDAY=${days};COUNT=5`)].join(' '));
  }
}
JS
go mod tidy >/dev/null 2>&1
{ go run . 1MO TU 1MO,TU MO,2MO && node dates.mjs 1MO TU 1MO,TU MO,2MO; } | tee found >&2
diff found - <<'WANT'
rrule-go 1MO: 1/5 2/2 3/2 4/6 5/4
rrule-go TU: 1/6 1/13 1/20 1/27 2/3
rrule-go 1MO,TU:
rrule-go MO,2MO: 1/12 2/9 3/9 4/13 5/11
rrule 1MO: 1/5 2/2 3/2 4/6 5/4
rrule TU: 1/6 1/13 1/20 1/27 2/3
rrule 1MO,TU:
rrule MO,2MO: 1/12 2/9 3/9 4/13 5/11
rrule-rust 1MO: 1/5 2/2 3/2 4/6 5/4
rrule-rust TU: 1/6 1/13 1/20 1/27 2/3
rrule-rust 1MO,TU:
rrule-rust MO,2MO: 1/12 2/9 3/9 4/13 5/11
rrule-temporal 1MO: 1/5 2/2 3/2 4/6 5/4
rrule-temporal TU: 1/6 1/13 1/20 1/27 2/3
rrule-temporal 1MO,TU: 1/5 1/6 1/13 1/20 1/27
rrule-temporal MO,2MO: 1/5 1/12 1/19 1/26 2/2
ical.js 1MO: 1/5 2/2 3/2 4/6 5/4
ical.js TU: 1/6 1/13 1/20 1/27 2/3
ical.js 1MO,TU: 1/5 1/6 1/13 1/20 1/27
ical.js MO,2MO: 1/5 1/12 1/19 1/26 2/2
WANT
