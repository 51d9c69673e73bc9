#!/usr/bin/env bash
# github.com/sourcegraph/jsonrpc2 0.2.3: an error without an id, as JSON-RPC 2.0 wants it for
# a message that could not be read, ends the first call of the client.
#
# Seen: a client calls "wait". The server sends an error with the id null, which is about
# another message, and then the result of the call. The call ends with the error, and the
# result is logged as one "with no corresponding request". A second call is not touched by
# such an error. The other way round, a server of it answers a request with the id -1
# with the id 18446744073709551615, and so nobody's.
# The reason by the source: ID is a struct with a uint64, the null leaves it at zero, and
# the calls of a connection count from 0 on. The specification has the id of such an error
# as null, and any number as the id of a request.
#
# Call options that give each call an id of its own, PickID from 1 on or StringID, help its
# clients.
#
# Needs Go. Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26.0

require github.com/sourcegraph/jsonrpc2 v0.2.3
MOD
cat >main.go <<'GO'
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"github.com/sourcegraph/jsonrpc2"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// connect answers a connection of the library, which answers each request with "done", and the other end.
func connect(ctx context.Context) (*jsonrpc2.Conn, net.Conn, *bufio.Reader) {
	ours, its := net.Pipe()
	check(ours.SetDeadline(time.Now().Add(20 * time.Second)))
	done := jsonrpc2.HandlerWithError(func(context.Context, *jsonrpc2.Conn, *jsonrpc2.Request) (any, error) {
		return "done", nil
	})
	logged := jsonrpc2.SetLogger(log.New(os.Stdout, "logged: ", 0))
	return jsonrpc2.NewConn(ctx, jsonrpc2.NewPlainObjectStream(its), done, logged), ours, bufio.NewReader(ours)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client, server, requests := connect(ctx)
	for id := range 2 {
		ended := make(chan string)
		go func() {
			var result string
			err := client.Call(ctx, "wait", nil, &result)
			ended <- fmt.Sprintf("the call %d ends with %q, %v", id, result, err)
		}()
		_, err := requests.ReadString('}')
		check(err)
		_, err = io.WriteString(server, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"a broken line"}}`+"\n")
		check(err)
		if id == 0 {
			fmt.Println(<-ended)
		}
		_, err = fmt.Fprintf(server, `{"jsonrpc":"2.0","id":%d,"result":"waited"}`+"\n", id)
		check(err)
		if id == 1 {
			fmt.Println(<-ended)
		}
	}
	_, caller, answers := connect(ctx)
	_, err := io.WriteString(caller, `{"jsonrpc":"2.0","id":-1,"method":"wait"}`+"\n")
	check(err)
	answer, err := answers.ReadString('}')
	check(err)
	fmt.Println("-1 is answered with", answer)
}
GO
go mod tidy >/dev/null 2>&1
go run . | tee found >&2
diff found - <<'WANT'
the call 0 ends with "", jsonrpc2: code -32700 message: a broken line
logged: jsonrpc2: ignoring response #0 with no corresponding request
logged: jsonrpc2: ignoring response #0 with no corresponding request
the call 1 ends with "waited", <nil>
-1 is answered with {"id":18446744073709551615,"result":"done","jsonrpc":"2.0"}
WANT
