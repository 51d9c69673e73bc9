package client

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// An OlderServerError says that a server has refused a call because it knows less than this
// package. It wraps the *wire.Error of the answer.
//
// A call whose params only ask for more than the server knows gives no such error: the
// include members of a status, and the names of events. The client asks again without these.
type OlderServerError struct {
	Method string
	// Members are the pointers of the params that the server does not know. It is nil where the
	// server does not know the method.
	Members []string
	Answer  *wire.Error
}

func (e *OlderServerError) Error() string {
	return "the server is of an older version: " + e.Answer.Error()
}

// Unwrap returns the answer.
func (e *OlderServerError) Unwrap() error { return e.Answer }

// refusal is the error of a call that a server has refused. All that a client sends is in the
// protocol, so what the server does not know of it is newer than the server. Inputs are of the
// task types.
func refusal(method string, answer *wire.Error) error {
	if answer.Code == schema.CodeMethodNotFound {
		return &OlderServerError{Method: method, Answer: answer}
	}
	if !strings.HasPrefix(answer.Message, "params") {
		return answer
	}
	var members []string
	for _, v := range answer.Data.Violations {
		if isNewer(&v) {
			members = append(members, v.Pointer)
		}
	}
	if len(members) == 0 {
		return answer
	}
	return &OlderServerError{method, members, answer}
}

// isNewer reports whether a violation is of something that the protocol has had only since the
// server was made.
func isNewer(v *schema.Violation) bool {
	switch {
	case strings.HasPrefix(v.Message, "unknown member"):
		return strings.HasPrefix(v.Pointer, "/") && !strings.Contains(v.Pointer, "/input/")
	case strings.HasPrefix(v.Pointer, "/events/"):
		return slices.ContainsFunc(schema.EventNames[:], func(name string) bool { return strings.HasPrefix(v.Message, "got "+strconv.Quote(name)) })
	}
	return v.Pointer == "/timeoutMs" && strings.HasPrefix(v.Message, strconv.Itoa(schema.NoTimeout)+" ")
}

// without returns the params without what the server does not know. It reports false where the
// call would then mean something else.
func (e *OlderServerError) without(params []byte) ([]byte, bool) {
	if e.Members == nil || len(e.Members) < len(e.Answer.Data.Violations) {
		return nil, false
	}
	var all map[string]jsontext.Value
	var events []string
	if json.Unmarshal(params, &all) != nil || all["events"] != nil && json.Unmarshal(all["events"], &events) != nil {
		return nil, false
	}
	for _, pointer := range slices.Backward(e.Members) { // an index stays what it is
		member, index, _ := strings.Cut(pointer[1:], "/")
		i, err := strconv.Atoi(index)
		switch {
		case strings.HasPrefix(member, "include"):
			delete(all, member)
		case member == "events" && err == nil && i < len(events):
			events = slices.Delete(events, i, i+1)
			all["events"] = wire.AppendJSON(nil, events)
		default:
			return nil, false
		}
	}
	return wire.AppendJSON(nil, all), true
}
