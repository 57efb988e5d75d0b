//go:build race

package storetest

func init() { Racing = true }
