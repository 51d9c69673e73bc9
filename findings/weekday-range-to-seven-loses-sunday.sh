#!/usr/bin/env bash
# github.com/hashicorp/cronexpr 1.1.3, supercronic 0.2.48 and cronosjs 1.7.1 take 7 for
# Sunday, but not as the end of a range: "6-7" is Saturday alone in the first one, and
# "0-7" is Sunday alone in the other two.
#
# Seen, with the days of a week on which "0 0 * * RANGE" is due:
#   hashicorp/cronexpr: 0-7 all, 1-7 without Sunday, 6-7 Saturday
#   supercronic:        0-7 Sunday, 1-7 and 6-7 refused, 1-7/2 taken and never due
#   cronosjs:           0-7 Sunday, 1-7 all, 6-7 Saturday and Sunday
# In all three "7" is Sunday. Their documents say that the field goes from 0 to 7, those
# of the first two that this is "to comply with" crontab(5), which has 0-7 for every day.
# The reason by the source: each makes 0 of the 7 before it fills the range, so that 0-7 is
# 0-0. The first one then takes an end of 0 for 6, by a comment for the sake of Sunday.
#
# Who moves a crontab to one of them should write lists of names, as SAT,SUN.
#
# Needs Go, Node.js and npm. Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26.0

require (
	github.com/aptible/supercronic v0.2.48
	github.com/hashicorp/cronexpr v1.1.3
)
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"time"

	supercronic "github.com/aptible/supercronic/cronexpr"
	hashicorp "github.com/hashicorp/cronexpr"
)

type expression interface{ Next(time.Time) time.Time }

// show prints the days of the week, from Sunday on, on which an expression is due.
func show(library, days string, e expression, err error) {
	due := ""
	if err != nil {
		due = "refused"
	} else {
		saturday := time.Date(2026, time.January, 3, 12, 0, 0, 0, time.UTC)
		for t := e.Next(saturday); !t.IsZero() && t.Before(saturday.AddDate(0, 0, 7)); t = e.Next(t) {
			due += t.Format("Mon")[:2]
		}
	}
	fmt.Printf("%s %s: %s\n", library, days, due)
}

func main() {
	for _, days := range []string{"7", "0-7", "1-7", "6-7", "1-7/2"} {
		h, err := hashicorp.Parse("0 0 * * " + days)
		show("hashicorp", days, h, err)
		s, err := supercronic.Parse("0 0 * * " + days)
		show("supercronic", days, s, err)
	}
}
GO
npm init -y >/dev/null
npm install --no-audit --no-fund --ignore-scripts --loglevel=error cronosjs@1.7.1 >/dev/null
cat >days.js <<'JS'
const { CronosExpression } = require('cronosjs');
const saturday = new Date('2026-01-03T12:00:00Z');
for (const days of ['7', '0-7', '1-7', '6-7']) {
  const due = CronosExpression.parse('0 0 * * ' + days, { timezone: 'UTC' }).nextNDates(saturday, 7)
    .filter((d) => d - saturday < 7 * 864e5).map((d) => d.toUTCString().slice(0, 2));
  console.log(`cronosjs ${days}: ${due.join('')}`);
}
JS
go mod tidy >/dev/null 2>&1
{ go run . && node days.js; } | tee found >&2
diff found - <<'WANT'
hashicorp 7: Su
supercronic 7: Su
hashicorp 0-7: SuMoTuWeThFrSa
supercronic 0-7: Su
hashicorp 1-7: MoTuWeThFrSa
supercronic 1-7: refused
hashicorp 6-7: Sa
supercronic 6-7: refused
hashicorp 1-7/2: MoWeFr
supercronic 1-7/2: 
cronosjs 7: Su
cronosjs 0-7: Su
cronosjs 1-7: SuMoTuWeThFrSa
cronosjs 6-7: SuSa
WANT
