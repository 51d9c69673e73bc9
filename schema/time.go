package schema

import (
	"errors"
	"fmt"
	"time"
)

// Time is a point in time as the protocol knows it: microseconds since 1970
// in UTC, in eight bytes because a store holds millions of them. Zero is
// "not yet". On the wire it is RFC 3339 with six digits of a second.
type Time int64

const timeLayout = "2006-01-02T15:04:05.000000Z"

// TimeOf is t in microseconds.
func TimeOf(t time.Time) Time { return Time(t.UnixMicro()) }

// Now is the wall clock's time.
func Now() Time { return TimeOf(time.Now()) }

// Time is t for the time package, in UTC.
func (t Time) Time() time.Time { return time.UnixMicro(int64(t)).UTC() }

// IsZero reports whether t is "not yet".
func (t Time) IsZero() bool { return t == 0 }

func (t Time) String() string { return string(t.Append(nil)) }

// Append appends the wire form of t, without quotes. Every task has several
// times, so this does not go through the general layouts of package time.
func (t Time) Append(b []byte) []byte {
	seconds, micros := floorDiv(int64(t), 1_000_000)
	days, second := floorDiv(seconds, 24*60*60)
	year, month, day := civil(days)
	if year < 0 || year > 9999 {
		return t.Time().AppendFormat(b, timeLayout)
	}
	var text [len("0000-00-00T00:00:00.000000Z")]byte
	two(&text, 0, year/100)
	two(&text, 2, year%100)
	text[4] = '-'
	two(&text, 5, month)
	text[7] = '-'
	two(&text, 8, day)
	text[10] = 'T'
	two(&text, 11, second/3600)
	text[13] = ':'
	two(&text, 14, second/60%60)
	text[16] = ':'
	two(&text, 17, second%60)
	text[19] = '.'
	two(&text, 20, micros/10_000)
	two(&text, 22, micros/100%100)
	two(&text, 24, micros%100)
	text[26] = 'Z'
	return append(b, text[:]...)
}

// two writes a number of two digits.
func two(text *[27]byte, at int, n int64) {
	text[at], text[at+1] = byte('0'+n/10), byte('0'+n%10)
}

// floorDiv divides such that the rest is never below zero.
func floorDiv(n, by int64) (quotient, rest int64) {
	quotient, rest = n/by, n%by
	if rest < 0 {
		return quotient - 1, rest + by
	}
	return quotient, rest
}

// civil is the date of a day counted from 1970-01-01, by the proleptic
// Gregorian calendar: "days_from_civil" of Howard Hinnant, backwards. Its
// years begin in March, so that the leap day is the last.
func civil(days int64) (year, month, day int64) {
	const daysOf400Years = 146_097
	era, ofEra := floorDiv(days+719_468, daysOf400Years)
	yearOfEra := (ofEra - ofEra/1_460 + ofEra/36_524 - ofEra/(daysOf400Years-1)) / 365
	dayOfYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	m := (5*dayOfYear + 2) / 153
	day = dayOfYear - (153*m+2)/5 + 1
	year = yearOfEra + 400*era
	if month = m + 3; month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

// MarshalText writes the wire form. RFC 3339 has the years 0 to 9999.
func (t Time) MarshalText() ([]byte, error) {
	if year := t.Time().Year(); year < 0 || year > 9999 {
		return nil, fmt.Errorf("the year %d is not within 0..9999, so the time has no RFC 3339 form", year)
	}
	return t.Append(nil), nil
}

// UnmarshalText reads any RFC 3339 time; what is finer than a microsecond is cut off.
func (t *Time) UnmarshalText(text []byte) error {
	parsed, err := parseRFC3339(text)
	if err != nil {
		return err
	}
	*t = TimeOf(parsed)
	return nil
}

// parseRFC3339 reads a time by the letter of RFC 3339, as the JSON package
// does. Package time takes more: an hour of one digit, a comma before the
// fraction, and an offset of any size.
func parseRFC3339(text []byte) (t time.Time, err error) {
	const hour, fraction, zone = len("2006-01-02T"), len("2006-01-02T15:04:05"), len("+07:00")
	err = t.UnmarshalText(text)
	if err == nil && (text[hour+1] == ':' || text[fraction] == ',') {
		err = errNotRFC3339
	}
	if err == nil && text[len(text)-1] != 'Z' {
		offset := text[len(text)-zone:]
		if string(offset[1:3]) > "23" || string(offset[4:6]) > "59" {
			err = errNotRFC3339
		}
	}
	if err != nil {
		return t, fmt.Errorf("%q is not an RFC 3339 time", Cut(text))
	}
	return t, nil
}

var errNotRFC3339 = errors.New("more than RFC 3339 has")
