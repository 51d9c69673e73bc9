#!/usr/bin/env bash
# nats.go 1.55.0, nats-server 2.15.3: KeyValue.Update of a key that was created with KeyTTL takes its
# time to live away.
#
# Seen: two keys are created with a time to live of two seconds. One is renewed with Update, which has no
# option for a time to live. After more than four seconds the other has gone, and the renewed one is still there: its
# new revision has no Nats-TTL header, so it stays until it is deleted.
#
# So a lock or a lease in a bucket that is created with KeyTTL and renewed with Update is never
# released when its holder dies. To publish the revision by hand, with the header Nats-TTL and the expected last sequence of its
# subject, keeps the time.
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
	leases, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "leases", LimitMarkerTTL: time.Second})
	check(err)
	revision, err := leases.Create(ctx, "renewed", nil, jetstream.KeyTTL(2*time.Second))
	check(err)
	_, err = leases.Create(ctx, "left", nil, jetstream.KeyTTL(2*time.Second))
	check(err)
	_, err = leases.Update(ctx, "renewed", nil, revision)
	check(err)
	deadline := time.Now().Add(20 * time.Second)
	for err == nil && time.Now().Before(deadline) {
		time.Sleep(200 * time.Millisecond)
		_, err = leases.Get(ctx, "left")
	}
	gone := errors.Is(err, jetstream.ErrKeyNotFound)
	time.Sleep(2 * time.Second)
	_, err = leases.Get(ctx, "renewed")
	fmt.Printf("the key that was left has gone: %v; the renewed one: %v\n", gone, err)
	if !gone || err != nil {
		fmt.Println("This has changed.")
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go run .
