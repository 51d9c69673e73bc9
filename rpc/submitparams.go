package rpc

import (
	"bytes"
	"iter"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
	"github.com/jobline/jobline/schema/jsonscan"
)

var decodeAnySubmit = decoderOf[schema.SubmitParams]("input")

// submitDecoder reads the params of submits, one after the other.
type submitDecoder struct {
	scanner jsonscan.Scanner
	params  schema.SubmitParams // of the latest
	// eventsText is the events of the latest submit that had any, as JSON, and
	// events what it says: a client asks for the same again and again.
	eventsText []byte
	events     []string
}

// maxEventsText is the longest events that are read by hand, in bytes.
const maxEventsText = 128

// decode reads the params of a submit; they are valid until the next call. Members that nearly every submit has
// are read by hand. If anything is not as expected, the schema reads everything again.
func (d *submitDecoder) decode(p *wire.Params) (*schema.SubmitParams, error) {
	d.params = schema.SubmitParams{Type: d.params.Type} // which the next often has, too
	if d.plain(p) {
		return &d.params, nil
	}
	if err := executor.CheckLabels(labelsOf(p)); err != nil {
		return nil, err
	}
	general, err := decodeAnySubmit(p)
	if id := p.Get("id"); err == nil && general.ID == uuid.Nil && id != nil && id[0] != 'n' {
		return nil, invalid("/id", "the nil UUID is no id; choose another, or leave it out")
	}
	return general, err
}

// plain reads params that have only members that are read by hand. It reports false for others.
func (d *submitDecoder) plain(p *wire.Params) bool {
	typed := false
	members, all := p.Noted()
	for i := range members {
		name, value := members[i].Name, members[i].Value
		switch string(name) {
		case "type":
			if typed = d.typeName(value); !typed {
				return false
			}
		case "events":
			if !d.readEvents(value) {
				return false
			}
		default:
			if !d.member(name, value) {
				return false
			}
		}
	}
	return typed && all
}

// typeName takes the name of the type over, as a new string only where the
// submit before had another.
func (d *submitDecoder) typeName(value []byte) bool {
	if value[0] != '"' {
		return false
	}
	if name := jsonscan.Unquote(value); string(name) != d.params.Type {
		d.params.Type = string(name)
	}
	return d.params.Type != ""
}

func (d *submitDecoder) readEvents(value []byte) bool {
	if value[0] != '[' || len(value) > maxEventsText {
		return false
	}
	if !bytes.Equal(value, d.eventsText) {
		events := []string{}
		d.scanner.Reset(value, wire.MaxNesting)
		for d.scanner.Open(); d.scanner.Next(); {
			name := d.scanner.Value()
			i := slices.IndexFunc(eventNames, func(known string) bool { return string(name) == known })
			if i < 0 || len(events) == len(eventNames) { // of more the schema has the limit
				return false
			}
			events = append(events, eventNames[i][1:len(eventNames[i])-1])
		}
		d.eventsText, d.events = append(d.eventsText[:0], value...), events
	}
	d.params.Events = d.events
	return true
}

// member reads one of the other members, or reports false.
func (d *submitDecoder) member(name, value []byte) bool {
	var err error
	switch string(name) {
	case "input":
		d.params.Input = value
	case "id":
		if len(value) != len(`""`)+36 {
			return false
		}
		d.params.ID, err = uuid.ParseBytes(value[1:37])
		return err == nil && d.params.ID != uuid.Nil
	case "priority":
		var priority int
		priority, err = strconv.Atoi(string(value))
		d.params.Priority = &priority
	case "timeoutMs":
		d.params.TimeoutMs, err = strconv.ParseInt(string(value), 10, 64)
	default:
		return false
	}
	return err == nil
}

// eventNames are the events of a submit as JSON.
var eventNames = []string{`"started"`, `"progress"`, `"output"`, `"finished"`}

// labelsOf are the labels in the params of a submit, without those that are not valid.
func labelsOf(p *wire.Params) iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		labels := p.Get("labels")
		if len(labels) == 0 || labels[0] != '{' {
			return
		}
		wire.Members(labels, func(key, text []byte) bool {
			return text[0] != '"' || yield(string(key), string(jsonscan.Unquote(text)))
		})
	}
}
