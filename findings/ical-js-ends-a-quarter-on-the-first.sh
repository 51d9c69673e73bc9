#!/usr/bin/env bash
# ical.js 2.2.1 (npm): a rule FREQ=YEARLY for the last day of several months answers the
# first day of the next month from the second year on, and two examples of RFC 5545
# itself come on other days than it says.
#
# Seen, each from a DTSTART that the rule names:
#   BYMONTH=3,6,9,12;BYMONTHDAY=-1  2026 right, then 2027-07-01 and 2027-10-01. With
#                                   FREQ=MONTHLY the same is 2027-06-30 and 2027-09-30.
#   BYWEEKNO=20;BYDAY=MO            every Monday but that of week 20
#   BYDAY=20MO                      every Monday from May 19, 1997, on
# The RFC gives the second as "Monday of week number 20" and the third as "Every 20th
# Monday of the year". rrule-temporal 2.2.8 answers what the RFC has.
# The reason by the source: the day is set before the month, and goes over where the old
# month is shorter; and a place in the list of weeks is taken for a truth, so 0, the first
# place, is false, and -1, no place, is true.
#
# A schedule of ends of a quarter must be written as FREQ=MONTHLY there.
#
# Needs Node.js and npm. Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-audit --no-fund --ignore-scripts --loglevel=error ical.js@2.2.1 rrule-temporal@2.2.8 >/dev/null
cat >dates.mjs <<'JS'
import ICAL from 'ical.js';
import { RRuleTemporal } from 'rrule-temporal';

const two = (n) => String(n).padStart(2, '0');
const written = (d) => `${d.year}-${two(d.month)}-${two(d.day)}`;

function show(start, rule, count) {
  const dates = ICAL.Recur.fromString(rule).iterator(ICAL.Time.fromString(start + 'T09:00:00'));
  const found = Array.from({ length: count }, () => written(dates.next()));
  const dtstart = start.replaceAll('-', '') + 'T090000Z';
  const other = new RRuleTemporal({ rruleString: `DTSTART:${dtstart}\nRRULE:${rule};COUNT=${count}` });
  console.log(`${rule}\n  ical.js ${found.join(' ')}\n  rrule-temporal ${other.all().map(written).join(' ')}`);
}

show('2026-03-31', 'FREQ=YEARLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1', 8);
show('2026-03-31', 'FREQ=MONTHLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1', 8);
show('1997-05-12', 'FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO', 3);
show('1997-05-19', 'FREQ=YEARLY;BYDAY=20MO', 3);
JS
node dates.mjs | tee found >&2
diff found - <<'WANT'
FREQ=YEARLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1
  ical.js 2026-03-31 2026-06-30 2026-09-30 2026-12-31 2027-03-31 2027-07-01 2027-10-01 2027-12-31
  rrule-temporal 2026-03-31 2026-06-30 2026-09-30 2026-12-31 2027-03-31 2027-06-30 2027-09-30 2027-12-31
FREQ=MONTHLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1
  ical.js 2026-03-31 2026-06-30 2026-09-30 2026-12-31 2027-03-31 2027-06-30 2027-09-30 2027-12-31
  rrule-temporal 2026-03-31 2026-06-30 2026-09-30 2026-12-31 2027-03-31 2027-06-30 2027-09-30 2027-12-31
FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO
  ical.js 1997-05-19 1997-05-26 1997-06-02
  rrule-temporal 1997-05-12 1998-05-11 1999-05-17
FREQ=YEARLY;BYDAY=20MO
  ical.js 1997-05-19 1997-05-26 1997-06-02
  rrule-temporal 1997-05-19 1998-05-18 1999-05-17
WANT
