package schema

import (
	_ "embed" // for the document
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// ProtocolVersion is the version of the wire protocol.
const ProtocolVersion = "1"

// openRPC is openrpc.json, which is generated from the types of this package:
// go test ./schema -update. A test fails where they differ.
//
//go:embed openrpc.json
var openRPC []byte

var compactOpenRPC = sync.OnceValue(func() jsontext.Value {
	doc := jsontext.Value(openRPC).Clone()
	if err := doc.Compact(); err != nil {
		panic("openrpc.json is not JSON: " + err.Error()) // it is part of the program, and tested
	}
	return doc
})

// OpenRPC is the OpenRPC document of the protocol, on one line. It is the result of rpc.discover. It
// must not be changed.
func OpenRPC() jsontext.Value { return compactOpenRPC() }
