//go:build race

package lab_test

import "flag"

// The domain starts no goroutine, so there is little for the race detector to
// find, at ten times the cost; the many are drawn without it.
func init() {
	labsDrawn = 5000
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
}
