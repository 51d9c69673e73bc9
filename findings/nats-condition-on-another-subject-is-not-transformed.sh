#!/usr/bin/env bash
# nats-server 2.15.3: in a stream with a subject transform, the expected last sequence of the message's own
# subject is compared after the transform, and that of another subject, which a header names, before it.
#
# Seen: a stream takes "in.*" and stores it as "out.*". After one message on "in.a", a second one that
# expects 0 as the last sequence of its subject is refused with 10071. One on "in.b" that expects
# 0 for "in.a" (Nats-Expected-Last-Subject-Sequence-Subject) is stored: no message in the stream has that
# subject. Named as "out.a", the same condition is refused.
#
# So a condition that guards in a stream without a transform is always true in one with it, without an
# error. A program that uses the header has to name the subject as it is stored.
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
	"errors"
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
	_, js := serve("store")
	_, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "tasks", Subjects: []string{"in.*"},
		SubjectTransform: &jetstream.SubjectTransformConfig{Source: "in.*", Destination: "out.$1"},
	})
	check(err)
	// publish sends with the condition that the subject has no message yet.
	publish := func(subject, conditionOn string) string {
		m := nats.NewMsg(subject)
		m.Header.Set(nats.ExpectedLastSubjSeqHdr, "0")
		if conditionOn != "" {
			m.Header.Set("Nats-Expected-Last-Subject-Sequence-Subject", conditionOn)
		}
		_, err := js.PublishMsg(ctx, m)
		var refused *jetstream.APIError
		if errors.As(err, &refused) {
			return fmt.Sprint(refused.ErrorCode)
		}
		check(err)
		return "stored"
	}
	seen := fmt.Sprint(publish("in.a", ""), " ", publish("in.a", ""), " ", publish("in.b", "in.a"), " ", publish("in.c", "out.a"))
	fmt.Println(seen)
	if seen != "stored 10071 stored 10071" {
		fmt.Println("This has changed.")
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go run .
