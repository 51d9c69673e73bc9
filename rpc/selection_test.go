package rpc_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/schema"
)

// An empty list could select all or nothing, so a client whose list happens to
// be empty is told so. What is absent or null selects all.
func TestEmptySelections(t *testing.T) {
	p := connect(t, server(t, 1), rpc.Options{})
	for _, c := range []struct{ method, member string }{
		{"subscribe", "ids"}, {"subscribe", "types"}, {"subscribe", "states"}, {"list", "types"}, {"list", "states"},
	} {
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%q:[]}}`, c.method, c.member))
		e := p.next().Error
		require.NotNil(t, e, c)
		require.Equal(t, schema.CodeInvalidParams, e.Code)
		require.Equal(t, "params at /"+c.member+": got 0, want at least 1 element, or leave it out", e.Message)
		for _, params := range []string{`{}`, fmt.Sprintf(`{%q:null}`, c.member)} {
			p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":%q,"params":%s}`, c.method, params))
			require.Nil(t, p.next().Error, params)
		}
	}
	p.conn.Close()
}

// Of a Go client nil is absent, and a slice that is empty is told of as of any
// other.
func TestEmptySelectionsOfClient(t *testing.T) {
	c := rpctest.New(t, testTypes(t)...)
	_, err := c.Subscribe(t.Context(), schema.SubscribeParams{})
	require.NoError(t, err)
	_, err = c.Subscribe(t.Context(), schema.SubscribeParams{IDs: []uuid.UUID{}})
	require.ErrorContains(t, err, "/ids")
	_, err = c.List(t.Context(), schema.ListParams{})
	require.NoError(t, err)
	_, err = c.List(t.Context(), schema.ListParams{States: []schema.State{}})
	require.ErrorContains(t, err, "/states")
}
