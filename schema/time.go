package schema

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Time is a point in time, in microseconds since 1970 in UTC. It takes eight bytes, because a
// store holds millions of them. Zero means "not yet", so the text of the beginning of 1970 is read as
// the microsecond after it. In JSON it is RFC 3339 text with six digits after the second.
type Time int64

const timeLayout = "2006-01-02T15:04:05.000000Z"

// TimeOf is t as a Time; what is finer than a microsecond is cut off.
func TimeOf(t time.Time) Time { return Time(t.UnixMicro()) }

// Now is the time of the wall clock.
func Now() Time { return TimeOf(time.Now()) }

// Time is t for the time package, in UTC.
func (t Time) Time() time.Time { return time.UnixMicro(int64(t)).UTC() }

// IsZero reports whether t is "not yet".
func (t Time) IsZero() bool { return t == 0 }

func (t Time) String() string { return string(t.Append(nil)) }

// Append appends the JSON form of t, without quotes. Every task has several times, and times
// that are written together are within a few seconds. So the texts of the latest seconds are
// kept.
func (t Time) Append(b []byte) []byte {
	second, micros := int64(t)/1_000_000, int64(t)%1_000_000
	if t < 0 {
		return t.Time().AppendFormat(b, timeLayout)
	}
	kept := &secondTexts[second%int64(len(secondTexts))]
	text := kept.Load()
	if text == nil || text.second != second {
		text = &secondText{second, t.Time().Format(layoutToSecond)}
		kept.Store(text)
	}
	b = append(b, text.text...)
	return append(b, '.', digit(micros/100_000), digit(micros/10_000), digit(micros/1_000), digit(micros/100), digit(micros/10), digit(micros), 'Z')
}

const layoutToSecond = "2006-01-02T15:04:05"

// secondText is the text of a second.
type secondText struct {
	second int64
	text   string
}

// secondTexts caches the texts of seconds. A second is at its number modulo the length.
var secondTexts [16]atomic.Pointer[secondText]

func digit(n int64) byte { return byte('0' + n%10) }

// MarshalText writes the JSON form. It fails outside the years 0 to 9999, which RFC 3339 cannot express.
func (t Time) MarshalText() ([]byte, error) {
	if err := t.writable(); err != nil {
		return nil, err
	}
	return t.Append(nil), nil
}

// writable says why t has no JSON form, if so.
func (t Time) writable() error {
	if year := t.Time().Year(); year < 0 || year > 9999 {
		return fmt.Errorf("the year %d is not within 0..9999, so the time has no RFC 3339 form", year)
	}
	return nil
}

// UnmarshalText reads any RFC 3339 time that MarshalText can write: one with an offset can be in
// another year in UTC. What is finer than a microsecond is cut off.
func (t *Time) UnmarshalText(text []byte) error {
	parsed, err := parseRFC3339(text)
	if err != nil {
		return err
	}
	at := TimeOf(parsed)
	if err := at.writable(); err != nil {
		return err
	}
	if at == 0 {
		at = 1
	}
	*t = at
	return nil
}

// parseRFC3339 reads a time strictly by RFC 3339, as the JSON package does. Package time also accepts
// an hour of one digit, a comma before the fraction, and an offset of any size.
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
