//go:build race

package relay

func init() { racing = true }
