#!/usr/bin/env bash
# nats.go 1.55.0, nats-server 2.15.3: in a bucket with a history of more than one, a key that is
# created with KeyTTL lives at least as long as LimitMarkerTTL, however short KeyTTL is.
#
# Seen: three buckets, with a LimitMarkerTTL of six seconds, and in each a key with a KeyTTL of one second.
# With a history of 1 the key goes after one second. With a history of 2 it is there for six, as it is
# in a stream without a limit for each subject, where its message is stored with the header Nats-TTL: 6
# in place of the 1s that was sent. Nothing tells the publisher.
#
# The documentation of KeyTTL has it as the time after which the key is deleted, and that of LimitMarkerTTL as
# how long the bucket keeps markers of what was removed. By the source (server/stream.go) the server
# raises the one to the other where a subject may have more than one message, so that no marker is missed.
#
# So with a LimitMarkerTTL of an hour, for watchers that come late, each lease of a bucket that has a
# history is held for an hour after its holder has died.
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

func connect(dir string) jetstream.JetStream {
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
	return js
}

func main() {
	ctx := context.Background()
	js := connect("store")
	lived := map[string]time.Duration{}
	began := time.Now()
	buckets := map[string]jetstream.KeyValue{}
	for name, history := range map[string]uint8{"one": 1, "two": 2} {
		kv, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: name, History: history, LimitMarkerTTL: 6 * time.Second})
		check(err)
		_, err = kv.Create(ctx, "lease", nil, jetstream.KeyTTL(time.Second))
		check(err)
		buckets[name] = kv
	}
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "any", Subjects: []string{"any.*"}, AllowMsgTTL: true, SubjectDeleteMarkerTTL: 6 * time.Second, AllowRollup: true,
	})
	check(err)
	_, err = js.Publish(ctx, "any.lease", nil, jetstream.WithMsgTTL(time.Second))
	check(err)
	m, err := stream.GetLastMsgForSubject(ctx, "any.lease")
	check(err)
	for len(lived) < len(buckets) && time.Since(began) < 30*time.Second {
		time.Sleep(20 * time.Millisecond)
		for name, kv := range buckets {
			_, err := kv.Get(ctx, "lease")
			if lived[name] == 0 && errors.Is(err, jetstream.ErrKeyNotFound) {
				lived[name] = time.Since(began)
			}
		}
	}
	fmt.Printf("the key lived %.1fs with a history of one, and %.1fs with one of two\n", lived["one"].Seconds(), lived["two"].Seconds())
	fmt.Println("in the stream without a limit the message has Nats-TTL:", m.Header.Get("Nats-TTL"))
	if lived["one"] == 0 || lived["one"] > 4*time.Second || lived["two"] < 5*time.Second || m.Header.Get("Nats-TTL") != "6" {
		fmt.Println("This has changed.")
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go run .
