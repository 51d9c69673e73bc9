package rpc

import (
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// responder answers one request, alone or in a batch. A notification has a responder without an id, which
// answers nothing.
type responder struct {
	id    []byte
	out   transport
	batch *batch
	log   func(error)
}

// result answers with JSON that f appends.
func (to responder) result(f func([]byte) []byte) {
	switch {
	case to.id == nil:
	case to.batch != nil:
		to.batch.add(to.id, appendReply(nil, to.id, f))
	default:
		to.out.result(to.id, f)
	}
}

// value answers with a value of the wire types.
func (to responder) value(v any) {
	text := wire.AppendJSON(nil, v) // here, where a panic holds no lock
	to.result(func(b []byte) []byte { return append(b, text...) })
}

// fail answers with an error.
func (to responder) fail(err error) {
	e := wireError(err)
	if e.Code == schema.CodeInternal {
		to.log(err)
	}
	switch {
	case to.id == nil:
	case to.batch != nil:
		to.batch.add(to.id, wire.AppendError(nil, to.id, e))
	default:
		to.out.fail(to.id, e)
	}
}
