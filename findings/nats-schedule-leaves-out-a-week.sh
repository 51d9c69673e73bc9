#!/usr/bin/env bash
# nats-server 2.15.3: in a time zone that changes its clock at midnight, a message schedule for a weekday or a
# day of the month leaves its next day out, also where that day has its whole 24 hours.
#
# Seen with "0 0 0 * * 1" (Mondays, 00:00) and Nats-Schedule-Time-Zone: Asia/Beirut, where on Sunday, 2000-03-26,
# 00:00 was followed by 01:00. The message of Monday, March 27, never comes; the next one is
# of April 3. With Europe/Athens, whose clock changed in the same night, but at 03:00, both come. Cairo, Havana and
# Santiago change their clocks at midnight, too, once in each year.
#
# By the source (server/cron.go, which follows robfig/cron) the search goes from midnight to midnight by
# AddDate, which makes 23:00 of a midnight that there is not. From there it sees each day an hour before its end,
# where an hour of 0 is the next day's. robfig/cron puts the hour right after each step.
#
# A schedule in UTC has no such week.
#
# The server runs in a bubble of testing/synctest, whose clock begins in the year 2000.
# Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26.0

require (
	github.com/nats-io/nats-server/v2 v2.15.3
	github.com/nats-io/nats.go v1.55.0
)
MOD
cat >schedule_test.go <<'GO'
package finding

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMondays(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2000, time.March, 24, 12, 0, 0, 0, time.UTC)))
		s, err := server.NewServer(&server.Options{JetStream: true, StoreDir: dir, DontListen: true, NoLog: true, NoSigs: true})
		check(t, err)
		s.Start()
		defer s.WaitForShutdown()
		defer s.Shutdown()
		c, err := nats.Connect("", nats.InProcessServer(s))
		check(t, err)
		defer c.Close()
		js, err := jetstream.New(c)
		check(t, err)
		stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
			Name: "mondays", Subjects: []string{"plan.*", "due.*"}, AllowMsgSchedules: true, Storage: jetstream.MemoryStorage,
		})
		check(t, err)
		zones := []string{"Asia/Beirut", "Europe/Athens"}
		for i, zone := range zones {
			m := nats.NewMsg(fmt.Sprint("plan.", i))
			m.Header.Set("Nats-Schedule", "0 0 0 * * 1")
			m.Header.Set("Nats-Schedule-Time-Zone", zone)
			m.Header.Set("Nats-Schedule-Target", fmt.Sprint("due.", i))
			_, err := js.PublishMsg(t.Context(), m)
			check(t, err)
		}
		time.Sleep(11 * 24 * time.Hour)
		seen := ""
		for i, zone := range zones {
			location, err := time.LoadLocation(zone)
			check(t, err)
			due, err := stream.CreateConsumer(context.Background(), jetstream.ConsumerConfig{FilterSubject: fmt.Sprint("due.", i)})
			check(t, err)
			batch, err := due.FetchNoWait(10)
			check(t, err)
			times := []string{}
			for m := range batch.Messages() {
				at, err := m.Metadata()
				check(t, err)
				times = append(times, at.Timestamp.In(location).Format("Mon Jan 2 15:04"))
			}
			seen += zone + ": " + strings.Join(times, ", ") + "\n"
		}
		check(t, os.WriteFile(os.Getenv("SEEN"), []byte(seen), 0o600))
	})
}
GO
go mod tidy >/dev/null 2>&1
SEEN=$dir/seen go test -count=1 . >&2
cat seen >&2
diff seen - <<'WANT'
Asia/Beirut: Mon Apr 3 00:00
Europe/Athens: Mon Mar 27 00:00, Mon Apr 3 00:00
WANT
