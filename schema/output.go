package schema

import (
	"encoding/base64"
	"unicode/utf8"
)

// escapedShare is which share of output may be control characters before it is
// sent as base64: each takes six bytes as JSON text.
const escapedShare = 8

// EncodeOutput makes a JSON string of output, which may be any bytes, and says how.
func EncodeOutput(data []byte) (string, Encoding) {
	if utf8.Valid(data) && controls(data) <= len(data)/escapedShare {
		return string(data), EncodingUTF8
	}
	return base64.StdEncoding.EncodeToString(data), EncodingBase64
}

// controls counts the control characters that JSON has no short escape for.
func controls(data []byte) int {
	n := 0
	for _, c := range data {
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			n++
		}
	}
	return n
}
