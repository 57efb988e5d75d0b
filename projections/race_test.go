//go:build race

package projections

import "flag"

// Under the race detector each drawn history costs ten times as much. It looks
// for races, which a few histories show; the many are drawn without it.
func init() {
	if err := flag.Set("rapid.checks", "8"); err != nil {
		panic(err)
	}
}
