package domaintest

import (
	"flag"
	"os"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// Long reports whether the long tests were asked for, with JOINTLAB_TEST_LONG=1.
func Long() bool { return os.Getenv("JOINTLAB_TEST_LONG") != "" }

// Runs returns how often a test repeats what it draws, kills or sends: normal
// in `go test ./...`, a fifth of that with -short, as the race detector is run,
// and long with JOINTLAB_TEST_LONG=1. It is at least 1.
func Runs(normal, long int) int {
	switch {
	case Long():
		return long
	case testing.Short():
		return max(1, normal/5)
	}
	return normal
}

// checks guards the flag that holds the number of draws, which rapid reads when
// a check begins.
var checks sync.Mutex

// Check runs a property test on Runs(normal, long) drawn values. Checks of one
// test binary run one at a time. A number given as -rapid.checks goes first.
func Check(t *testing.T, normal, long int, property func(*rapid.T)) {
	t.Helper()
	checks.Lock()
	defer checks.Unlock()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		n := normal // rapid itself divides by five with -short
		if Long() {
			n = long
		}
		number := flag.Lookup("rapid.checks")
		before := number.Value.String()
		if err := number.Value.Set(strconv.Itoa(max(5, n))); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = number.Value.Set(before) }()
	}
	rapid.Check(t, property)
}
