package schema

import (
	"encoding/base64"
	"unicode/utf8"
)

// escapedShare bounds the control characters in output that is sent as text: at most one byte in so
// many. Each takes six bytes in JSON, so output with more of them is sent as base64.
const escapedShare = 8

// EncodeOutput makes a JSON string of output, which may be any bytes, and returns the encoding.
func EncodeOutput(data []byte) (string, Encoding) {
	if utf8.Valid(data) && controls(data) <= len(data)/escapedShare {
		return string(data), EncodingUTF8
	}
	return base64.StdEncoding.EncodeToString(data), EncodingBase64
}

// controls counts the control characters for which JSON has no short escape.
func controls(data []byte) int {
	n := 0
	for _, c := range data {
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			n++
		}
	}
	return n
}
