#!/usr/bin/env bash
# golang.org/x/exp/jsonrpc2 (of 2026-07-09) and github.com/modelcontextprotocol/go-sdk
# 1.8.0 read the id of a request as a float64, so they answer a whole id from 2^53 on, and
# one with a fraction, with another id.
#
# Seen: to the id 9007199254740993 a server of each answers 9007199254740992, and to 1.5 it
# answers 1, without an error; the strings "9007199254740993" and "1.5" come back as they
# were. Their own ids do not survive either: ID is made by Int64ID from any int64, and what
# EncodeMessage has written of it, DecodeMessage reads as another one.
# JSON-RPC 2.0 says that the id of a response MUST be the same value as in the request, and
# that a fraction is no more than not recommended. Where ids are random or count
# nanoseconds, the client waits for an answer that has come.
#
# github.com/creachadair/jrpc2 1.3.6 answers both ids as they are.
#
# Needs Go. Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26.0

require (
	github.com/creachadair/jrpc2 v1.3.6
	github.com/modelcontextprotocol/go-sdk v1.8.0
	golang.org/x/exp/jsonrpc2 v0.0.0-20260709172345-9ea1abe57597
)
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/channel"
	"github.com/creachadair/jrpc2/handler"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	xexp "golang.org/x/exp/jsonrpc2"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

type dialer struct{ net.Conn }

func (d dialer) Dial(context.Context) (io.ReadWriteCloser, error) { return d.Conn, nil }

// servers are by name what serves the method ping on a connection, a message a line.
var servers = map[string]func(context.Context, net.Conn){
	"x/exp": func(ctx context.Context, c net.Conn) {
		_, err := xexp.Dial(ctx, dialer{c}, xexp.ConnectionOptions{
			Framer:  xexp.RawFramer(),
			Handler: xexp.HandlerFunc(func(context.Context, *xexp.Request) (any, error) { return struct{}{}, nil }),
		})
		check(err)
	},
	"go-sdk": func(ctx context.Context, c net.Conn) {
		s := mcp.NewServer(&mcp.Implementation{Name: "finding", Version: "1"}, nil)
		go s.Run(ctx, &mcp.IOTransport{Reader: c, Writer: c})
	},
	"jrpc2": func(ctx context.Context, c net.Conn) {
		ping := handler.New(func(context.Context) (struct{}, error) { return struct{}{}, nil })
		jrpc2.NewServer(handler.Map{"ping": ping}, nil).Start(channel.Line(c, c))
	},
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, name := range []string{"x/exp", "go-sdk", "jrpc2"} {
		client, server := net.Pipe()
		check(client.SetDeadline(time.Now().Add(20 * time.Second)))
		servers[name](ctx, server)
		answers := json.NewDecoder(client)
		for _, id := range []string{"9007199254740993", "1.5", `"9007199254740993"`, `"1.5"`} {
			_, err := fmt.Fprintf(client, `{"jsonrpc":"2.0","id":%s,"method":"ping"}`+"\n", id)
			check(err)
			var answer struct{ ID json.RawMessage }
			check(answers.Decode(&answer))
			fmt.Printf("%s: %s is answered with %s\n", name, id, answer.ID)
		}
	}
	call, err := xexp.NewCall(xexp.Int64ID(1<<53+1), "ping", nil)
	check(err)
	written, err := xexp.EncodeMessage(call)
	check(err)
	read, err := xexp.DecodeMessage(written)
	check(err)
	fmt.Println("x/exp: the id that it has written is the one that it reads:", read.(*xexp.Request).ID == call.ID)
}
GO
go mod tidy >/dev/null 2>&1
go run . | tee found >&2
diff found - <<'WANT'
x/exp: 9007199254740993 is answered with 9007199254740992
x/exp: 1.5 is answered with 1
x/exp: "9007199254740993" is answered with "9007199254740993"
x/exp: "1.5" is answered with "1.5"
go-sdk: 9007199254740993 is answered with 9007199254740992
go-sdk: 1.5 is answered with 1
go-sdk: "9007199254740993" is answered with "9007199254740993"
go-sdk: "1.5" is answered with "1.5"
jrpc2: 9007199254740993 is answered with 9007199254740993
jrpc2: 1.5 is answered with 1.5
jrpc2: "9007199254740993" is answered with "9007199254740993"
jrpc2: "1.5" is answered with "1.5"
x/exp: the id that it has written is the one that it reads: false
WANT
