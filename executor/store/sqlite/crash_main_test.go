package sqlite

import (
	"flag"
	"os"
	"strconv"
	"testing"
	"time"
)

// How hard the tests try; the defaults are of an ordinary run.
var (
	rounds   = flag.Int("rounds", 2+8/slower, "how often a process with a store is killed")
	soak     = flag.Duration("soak", 2*time.Second, "how long random load, crashes and faults follow each other")
	thorough = flag.Bool("thorough", false, "damage every bit and cut at every length, and make every call fail in every way")
)

// childVar makes the test binary a program with a store, which the tests kill.
const childVar = "SQLITE_TEST_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childVar); text != "" {
		runChild(text)
	}
	if err := flag.Set("rapid.checks", strconv.Itoa(100/slower)); err != nil { // 100 is the default
		panic(err)
	}
	flag.Parse()
	os.Exit(m.Run())
}
