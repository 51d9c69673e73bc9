package rpc

import (
	"slices"

	"github.com/jobline/jobline/schema"
)

// request is one call of a client. Its parts are pieces of the message and
// good as long as that is.
type request struct {
	id     []byte // as it was sent; nil for a notification
	method string
	params []byte // an object, an array, or nil
}

// parseRequest reads a request from a valid JSON value. The error is for the
// client, with the id where there is one. A response, which a server never
// asks for, is neither: answering it could go on for ever between two servers.
func parseRequest(value []byte) (rq request, response bool, err *Error) {
	if value[0] != '{' {
		return rq, false, newError(schema.CodeInvalidRequest, "a request is an object, got %s", schema.Cut(value))
	}
	var p envelope
	members(value, p.member)
	if p.response && rq.method == "" && p.method == nil {
		return rq, true, nil
	}
	rq = request{id: p.id, method: methodName(p.method), params: p.params}
	if p.wrong == "" {
		p.check()
	}
	if p.wrong != "" {
		return rq, false, newError(schema.CodeInvalidRequest, "%s", p.wrong)
	}
	return rq, false, nil
}

// methodName is the name as a string; those of our methods are there already.
func methodName(name []byte) string {
	if i := slices.IndexFunc(schema.MethodNames, func(known string) bool { return known == string(name) }); i >= 0 {
		return schema.MethodNames[i]
	}
	return string(name)
}

// envelope is what the top level of a message has.
type envelope struct {
	version, id, method, params []byte
	response                    bool
	wrong                       string // the first thing that is wrong
}

func (p *envelope) member(name, value []byte) bool {
	switch string(name) {
	case "jsonrpc":
		p.version = value
	case "method":
		if value[0] != '"' {
			p.fault("method must be a string, got " + schema.Cut(value))
			return true
		}
		p.method = unquoted(value)
	case "params":
		p.takeParams(value)
	case "id":
		switch value[0] {
		case '{', '[', 't', 'f':
			p.fault("id must be a string, a number or null, got " + schema.Cut(value))
		default:
			p.id = value
		}
	case "result", "error":
		p.response = true
	} // others are of extensions, as traceparent of OpenTelemetry, and ignored
	return true
}

func (p *envelope) takeParams(value []byte) {
	switch value[0] {
	case '{', '[':
		p.params = value
	case 'n': // null is as absent
	default:
		p.fault("params must be an object, got " + schema.Cut(value))
	}
}

func (p *envelope) check() {
	switch {
	case p.version == nil:
		p.fault(`jsonrpc is missing; it must be "2.0"`)
	case string(p.version) != `"2.0"`:
		p.fault(`jsonrpc must be "2.0", got ` + schema.Cut(p.version))
	case p.method == nil:
		p.fault("method is missing")
	case p.response:
		p.fault("a request has neither result nor error")
	}
}

func (p *envelope) fault(text string) {
	if p.wrong == "" {
		p.wrong = text
	}
}
