#!/usr/bin/env bash
# cron 4.4.0 (npm): a job of the hour that follows a repeated hour runs twice in the night in
# which the clock is set back, first an hour early, at an hour that it does not name.
#
# Seen with "30 2 * * *" in America/New_York on 2026-11-01, where the hour from 01:00 comes
# twice: it runs at 01:30 EST and at 02:30 EST. In Europe/Berlin, where the hour from 02:00
# comes twice, this is so with "30 3 * * *". A job of the repeated hour itself, "30 1 * * *"
# in New York, runs once, and so does one of 03:30.
# The reason by the source: CronTime.getNextDateFrom looks for the first one of two equal
# hours by going back from the time that it has found, and also takes the hour before it
# where that is equal to the one before that.
#
# The job runs on a clock that node:test sets.
# Needs Node.js and npm. Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-audit --no-fund --ignore-scripts --loglevel=error cron@4.4.0 >/dev/null
cat >night.js <<'JS'
const { mock } = require('node:test');
const { CronJob } = require('cron');

function night(expression, timeZone, day) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: new Date(day + 'T00:00:00Z') });
  const clock = new Intl.DateTimeFormat('en-GB', { timeZone, day: '2-digit', hour: '2-digit', minute: '2-digit', timeZoneName: 'longOffset' });
  const runs = [];
  const job = CronJob.from({ cronTime: expression, timeZone, onTick: () => runs.push(clock.format(new Date())), start: true });
  for (let minute = 0; minute < 36 * 60; minute++) mock.timers.tick(60_000);
  job.stop();
  mock.timers.reset();
  console.log(`${timeZone} ${expression}: ${runs.join('; ')}`);
}
night('30 1 * * *', 'America/New_York', '2026-11-01');
night('30 2 * * *', 'America/New_York', '2026-11-01');
night('30 3 * * *', 'America/New_York', '2026-11-01');
night('30 2 * * *', 'Europe/Berlin', '2026-10-24');
night('30 3 * * *', 'Europe/Berlin', '2026-10-24');
night('30 4 * * *', 'Europe/Berlin', '2026-10-24');
JS
node --no-warnings night.js | tee found >&2
diff found - <<'WANT'
America/New_York 30 1 * * *: 01, 01:30 GMT-04:00; 02, 01:30 GMT-05:00
America/New_York 30 2 * * *: 01, 01:30 GMT-05:00; 01, 02:30 GMT-05:00; 02, 02:30 GMT-05:00
America/New_York 30 3 * * *: 01, 03:30 GMT-05:00; 02, 03:30 GMT-05:00
Europe/Berlin 30 2 * * *: 24, 02:30 GMT+02:00; 25, 02:30 GMT+02:00
Europe/Berlin 30 3 * * *: 24, 03:30 GMT+02:00; 25, 02:30 GMT+01:00; 25, 03:30 GMT+01:00
Europe/Berlin 30 4 * * *: 24, 04:30 GMT+02:00; 25, 04:30 GMT+01:00
WANT
