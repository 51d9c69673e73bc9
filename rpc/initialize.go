package rpc

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
	"github.com/jobline/jobline/schema/jsonscan"
)

// serverName is the name that the server gives to its clients.
const serverName = "jobline"

// ownerLabel is the label that the tasks of an initialized connection have: the name
// of its client.
const ownerLabel = "owner"

// initialize introduces the client and the server to each other.
func (s *session) initialize(ctx context.Context, p *schema.InitializeParams) (any, error) {
	if s.initialized {
		return nil, wire.NewError(schema.CodeInvalidRequest, "this connection is initialized already; initialize it once")
	}
	if err := checkVersion(p.ProtocolVersion); err != nil {
		return nil, err
	}
	var owner map[string]string
	if p.ClientInfo != nil {
		owner = map[string]string{ownerLabel: p.ClientInfo.Name}
		if err := executor.CheckLabels(maps.All(owner)); err != nil {
			return nil, err
		}
	}
	seq, err := s.latestSeq(ctx)
	if err != nil {
		return nil, err
	}
	s.initialized, s.owner = true, owner
	return schema.InitializeResult{
		ServerInfo:      schema.ServerInfo{Name: serverName, Version: s.options.Version, PID: os.Getpid()},
		ProtocolVersion: schema.ProtocolVersion,
		Capabilities:    schema.Capabilities{Shared: s.options.Shared, Durable: s.executor.Durable()},
		Limits:          s.limits(),
		Seq:             seq,
	}, nil
}

// checkVersion refuses a version of the protocol whose first number is not that of
// the server. No version is the server's.
func checkVersion(asked string) error {
	first, _, _ := strings.Cut(asked, ".")
	own, _, _ := strings.Cut(schema.ProtocolVersion, ".")
	switch {
	case asked == "" || first == own:
		return nil
	case first == "" || strings.Trim(first, "0123456789") != "":
		return invalid("/protocolVersion", fmt.Sprintf("%q is no version of this protocol, which is now %q; leave it out, or give that",
			schema.Cut(asked), schema.ProtocolVersion))
	}
	return invalid("/protocolVersion", fmt.Sprintf("the client speaks version %s of the protocol, this server version %s; use a client and a server whose first numbers are the same",
		schema.Cut(asked), schema.ProtocolVersion))
}

var decodeInitialize = decoderOf[schema.InitializeParams]()

// initializeMethod is the method of initialize. It is the only one that ignores
// members that it does not know, because language clients send many. It holds mu, so
// that no event with a later number is sent before the reply.
func (s *session) initializeMethod(ctx context.Context, p *wire.Params, to responder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	params, err := decodeInitialize(knownParams(p))
	if err != nil {
		to.fail(err)
		return
	}
	result, err := s.initialize(ctx, params)
	if err != nil {
		to.fail(err)
		return
	}
	to.value(result)
}

// knownParams are the params of initialize without the members that it does not know.
func knownParams(p *wire.Params) *wire.Params {
	known := &wire.Params{}
	if p.Raw == nil {
		return known
	}
	text := chosen(p.Each, "clientInfo", "protocolVersion")
	var scanner jsonscan.Scanner
	scanner.Reset(text, wire.MaxNesting)
	known.Read(&scanner)
	return known
}

// chosen makes an object of the members with these names that are not null, and does
// the same with the object clientInfo.
func chosen(each func(func(name, value []byte) bool), names ...string) []byte {
	text := []byte{'{'}
	each(func(name, value []byte) bool {
		if !slices.Contains(names, string(name)) || value[0] == 'n' {
			return true
		}
		if string(name) == "clientInfo" && value[0] == '{' {
			members := func(f func(name, value []byte) bool) { wire.Members(value, f) }
			value = chosen(members, "name", "version")
		}
		text = appendMember(text, name, value)
		return true
	})
	return append(text, '}')
}

// labelled are the labels of a task of this connection: those of its submit, and the
// name of the client as its owner. It may add to the given labels.
func (s *session) labelled(given map[string]string) map[string]string {
	switch {
	case s.owner == nil:
	case len(given) == 0:
		return s.owner // all tasks share it, since nobody changes it
	default:
		if _, own := given[ownerLabel]; !own {
			given[ownerLabel] = s.owner[ownerLabel]
		}
	}
	return given
}
