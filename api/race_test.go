//go:build race

package api_test

// Under the race detector the matrix of queries takes nine times as long. It looks
// for races, which the other tests show as well; every cell is asked without it.
func init() { racing = true }
