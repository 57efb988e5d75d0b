package storetest

import "testing"

// Racing says that the race detector is on. It looks for races, which a few
// rounds show; a test of many takes fewer then.
var Racing bool

// OneByOne is for a test that does a great many things one after the other: the
// race detector takes it several times as long and has nothing to find in it.
// Tests that call it, or ask for Racing, are run again without the detector by
// .ci/run.
func OneByOne(t testing.TB) {
	t.Helper()
	if Racing {
		t.Skip("done without the race detector")
	}
}
