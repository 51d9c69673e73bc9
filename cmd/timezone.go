package cmd

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	_ "time/tzdata" // so that time zones are known where the system has none

	"github.com/spf13/pflag"

	"github.com/jobline/jobline/executor/schedule"
	"github.com/jobline/jobline/schema"
)

// This file is about the time zone of this process, in which a person writes times.

// utc is the name of the zone that Go takes where it does not know the one of the variable TZ.
const utc = "UTC"

// unknownZone is what the variable TZ has where it names no time zone that is known, or "".
func unknownZone() string {
	name := strings.TrimPrefix(os.Getenv("TZ"), ":")
	if name == "" || name == utc || time.Local.String() != utc {
		return ""
	}
	return name
}

// zoneError says that a time has no zone, or is nil. Without it the time would be that of UTC.
func zoneError() error {
	name := unknownZone()
	if name == "" {
		return nil
	}
	return fmt.Errorf("the variable TZ has %q, which is no time zone that is known here; let it name one of the IANA database, as Europe/Berlin", name)
}

// hasZone reports whether a text of a time names its own zone.
func hasZone(text string) bool {
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}

// dueTime is a flag for a time to come: a time of the day, of which the next is meant, or a
// date and a time.
func dueTime(to *schema.Time) pflag.Value {
	return &flagValue[schema.Time]{to, readDue, func(schema.Time) string { return "" }, "time"}
}

// lastTime is dueTime, or "none" for no time.
func lastTime(to *schema.Time) pflag.Value {
	return &flagValue[schema.Time]{to, func(text string) (schema.Time, error) {
		if text == "none" {
			return 0, nil
		}
		return readDue(text)
	}, func(schema.Time) string { return "" }, "time"}
}

func readDue(text string) (schema.Time, error) {
	t, ok := parseDue(text, time.Now())
	switch {
	case !ok:
		return 0, errors.New("want a time of the day, as 02:30, or a date and a time, as 2026-01-31T02:30 or 2026-01-31T02:30:00Z")
	case hasZone(text):
		return schema.TimeOf(t), nil
	}
	return schema.TimeOf(t), zoneError()
}

// parseDue reads a time to come. A time of the day that a change to summer time skips is as
// much later as the change is long; of one that there is twice, it is the first, as of a schedule.
func parseDue(text string, now time.Time) (time.Time, bool) {
	for _, layout := range []string{"15:04", time.TimeOnly} {
		clock, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		due := func(days int) time.Time {
			return schedule.Instant(time.Date(now.Year(), now.Month(), now.Day()+days, clock.Hour(), clock.Minute(), clock.Second(), 0, time.UTC), now.Location())
		}
		if today := due(0); today.After(now) {
			return today, true
		}
		return due(1), true
	}
	return parseDate(text, now.Location())
}

// localZone is the name of this machine's time zone.
func localZone() (string, error) {
	if err := zoneError(); err != nil {
		return "", usagef("schedule: %v, or give --zone", err)
	}
	name := time.Local.String() // of the variable TZ, or UTC where the system has no zone
	if name == "Local" {
		link, _ := os.Readlink("/etc/localtime") // where it is no link, the next file may tell
		if _, found, ok := strings.Cut(link, "/zoneinfo/"); ok {
			name = strings.TrimPrefix(found, "posix/") // a folder that some systems have
		} else if text, err := os.ReadFile("/etc/timezone"); err == nil {
			name = strings.TrimSpace(string(text))
		}
	}
	if _, err := schedule.Zone(name); err != nil {
		return "", usagef("schedule: the name of this machine's time zone cannot be told; give it by --zone, as --zone Europe/Berlin")
	}
	return name, nil
}
