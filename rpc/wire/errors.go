package wire

import (
	"fmt"

	"github.com/jobline/jobline/schema"
)

// Error is the error of a JSON-RPC response.
type Error struct {
	Code    schema.Code      `json:"code"`
	Message string           `json:"message"`
	Data    schema.ErrorData `json:"data"`
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// NewError makes an error with a formatted message, and with the kind that belongs to
// the code.
func NewError(code schema.Code, format string, args ...any) *Error {
	e := &Error{Code: code, Message: fmt.Sprintf(format, args...)}
	for _, known := range schema.Codes {
		if known.Code == code {
			e.Data = schema.ErrorData{Kind: known.Kind, Retryable: known.Retryable}
		}
	}
	return e
}

// AppendError appends a response with an error. A nil id becomes null.
func AppendError(b, id []byte, e *Error) []byte {
	if id == nil {
		id = []byte("null")
	}
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = append(b, id...)
	b = append(b, `,"error":`...)
	b = AppendJSON(b, e)
	return append(b, '}')
}
