package schema

import (
	"bytes"
	"cmp"
	"strconv"
)

const (
	// maxExponent replaces all greater exponents. It is far beyond every limit of a schema, and
	// adding the length of a number to it cannot overflow.
	maxExponent int64 = 1 << 40
	// maxPlainDigits is the length of the greatest 64-bit integer.
	maxPlainDigits = 20
)

// decimal is the exact value of a JSON number: 0.digits × 10^point. The digits neither begin nor
// end with 0. The number zero has no digits and is not negative. Unlike a big.Rat, it takes
// little memory for 1e999999999.
type decimal struct {
	negative bool
	digits   []byte
	point    int64
}

// parseDecimal reads a valid JSON number. The digits may be a part of text.
func parseDecimal(text []byte) decimal {
	var d decimal
	text, d.negative = bytes.CutPrefix(text, []byte("-"))
	mantissa, exponent := text, int64(0)
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], parseExponent(text[i+1:])
	}
	whole, fraction, hasFraction := bytes.Cut(mantissa, []byte("."))
	d.digits, d.point = whole, int64(len(whole))+exponent
	if hasFraction {
		d.digits = append(bytes.Clone(whole), fraction...)
	}
	significant := bytes.TrimLeft(d.digits, "0")
	d.point -= int64(len(d.digits) - len(significant))
	d.digits = bytes.TrimRight(significant, "0")
	if len(d.digits) == 0 {
		return decimal{}
	}
	return d
}

func parseExponent(text []byte) int64 {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil && text[0] == '-' || n < -maxExponent {
		return -maxExponent
	}
	if err != nil || n > maxExponent {
		return maxExponent
	}
	return n
}

func (d decimal) isInteger() bool { return d.point >= int64(len(d.digits)) }

// compare orders two numbers.
func (d decimal) compare(e decimal) int {
	if a, b := d.sign(), e.sign(); a != b || a == 0 {
		return cmp.Compare(a, b)
	}
	return d.sign() * cmp.Or(cmp.Compare(d.point, e.point), bytes.Compare(d.digits, e.digits))
}

func (d decimal) sign() int {
	switch {
	case len(d.digits) == 0:
		return 0
	case d.negative:
		return -1
	default:
		return 1
	}
}

// appendPlain writes an integer without point and exponent.
func (d decimal) appendPlain(b []byte) []byte {
	if len(d.digits) == 0 {
		return append(b, '0')
	}
	if d.negative {
		b = append(b, '-')
	}
	b = append(b, d.digits...)
	return append(b, bytes.Repeat([]byte("0"), int(d.point)-len(d.digits))...)
}
