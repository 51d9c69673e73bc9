#!/usr/bin/env bash
# nats-server 2.15.3: a clean restart makes a stream forget the message ids of messages that are no
# longer in it, although the window for duplicates has not passed.
#
# Seen: a stream keeps one message for each subject and a window of two minutes. The message with the id
# "first" is overwritten by the one with the id "second". Before the restart both are told as duplicates
# when they are sent once more. After it, "second" is, and "first" is stored a second time, over the
# newer message.
#
# The window is built again from what the stream has. So a client that repeats a publish after a lost
# acknowledgement must not rely on Nats-Msg-Id in a stream that overwrites, acknowledges or purges; a
# condition on the last sequence of the subject holds.
#
# Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.25

require (
	github.com/nats-io/nats-server/v2 v2.15.3
	github.com/nats-io/nats.go v1.55.0
)
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// serve starts a server on the folder, and connects to it.
func serve(dir string) (*server.Server, jetstream.JetStream) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: true, StoreDir: dir,
	})
	check(err)
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		log.Fatal("the server does not start")
	}
	nc, err := nats.Connect(s.ClientURL())
	check(err)
	js, err := jetstream.New(nc)
	check(err)
	return s, js
}

func main() {
	ctx := context.Background()
	s, js := serve("store")
	_, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "tasks", Subjects: []string{"task.>"}, MaxMsgsPerSubject: 1, Duplicates: 2 * time.Minute,
	})
	check(err)
	duplicate := func(id string) bool {
		ack, err := js.Publish(ctx, "task.1", []byte(id), jetstream.WithMsgID(id))
		check(err)
		return ack.Duplicate
	}
	duplicate("first")
	duplicate("second")
	before := []bool{duplicate("first"), duplicate("second")}
	s.Shutdown()
	s.WaitForShutdown()
	_, js = serve("store")
	after := []bool{duplicate("second"), duplicate("first")}
	fmt.Println("before the restart: first and second are duplicates:", before)
	fmt.Println("after it: second and first:", after)
	if fmt.Sprint(before, after) != "[true true] [true false]" {
		fmt.Println("This has changed.")
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go run .
