#!/usr/bin/env bash
# rrule 2.8.1 and rrule-rust 3.1.1 (npm): in a rule FREQ=MINUTELY that has BYHOUR, the
# times are not INTERVAL minutes apart.
#
# Seen with FREQ=MINUTELY;INTERVAL=25 from midnight on: the times from 9 to 10 o'clock are
# 09:10 and 09:35 on the first day, and 09:20 and 09:45 on the second. With BYHOUR=9 they
# are 09:15 and 09:40, and then 09:05, 09:30 and 09:55, none of which is a whole number of
# intervals from the start. RFC 5545 says that BYHOUR limits a MINUTELY rule: it leaves
# times out and adds none. rrule-temporal 2.2.8 answers the same times with and without it.
# The reason by the source of rrule: to pass an hour, addMinutes calls addHours with
# BYHOUR, which goes on by whole hours until one is in the list, and keeps the minutes.
#
# BYDAY does not do this; so a rule of each 25 minutes in office hours can be worked out
# without BYHOUR, and its times be filtered.
#
# Needs Node.js and npm. Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-audit --no-fund --ignore-scripts --loglevel=error \
  rrule@2.8.1 rrule-rust@3.1.1 rrule-temporal@2.2.8 >/dev/null
cat >times.mjs <<'JS'
import rrule from 'rrule';
import { RRuleSet } from 'rrule-rust';
import { RRuleTemporal } from 'rrule-temporal';

const two = (n) => String(n).padStart(2, '0');
const libraries = {
  rrule: (text) => rrule.rrulestr(text).all().map((d) => `${d.getUTCDate()} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`),
  'rrule-rust': (text) => RRuleSet.fromString(text).all().map((d) => `${d.day} ${two(d.time.hour)}:${two(d.time.minute)}`),
  'rrule-temporal': (text) => new RRuleTemporal({ rruleString: text }).all().map((d) => `${d.day} ${two(d.hour)}:${two(d.minute)}`),
};
for (const [name, times] of Object.entries(libraries)) {
  const rule = 'DTSTART:20260105T000000Z\nRRULE:FREQ=MINUTELY;INTERVAL=25;UNTIL=20260107T000000Z';
  console.log(name, 'from 9 to 10:', times(rule).filter((t) => t.includes(' 09:')).join(', '));
  console.log(name, 'BYHOUR=9:', times(rule + ';BYHOUR=9').join(', '));
}
JS
node times.mjs | tee found >&2
diff found - <<'WANT'
rrule from 9 to 10: 5 09:10, 5 09:35, 6 09:20, 6 09:45
rrule BYHOUR=9: 5 09:15, 5 09:40, 6 09:05, 6 09:30, 6 09:55
rrule-rust from 9 to 10: 5 09:10, 5 09:35, 6 09:20, 6 09:45
rrule-rust BYHOUR=9: 5 09:15, 5 09:40, 6 09:05, 6 09:30, 6 09:55
rrule-temporal from 9 to 10: 5 09:10, 5 09:35, 6 09:20, 6 09:45
rrule-temporal BYHOUR=9: 5 09:10, 5 09:35, 6 09:20, 6 09:45
WANT
